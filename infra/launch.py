"""Run a program that the kernel kills when its supervisor dies, however that happens.

Started by path as `python -I -S launch.py SUPERVISOR_PID PROGRAM [ARGUMENT ...]`; replaces itself
by the program. A program of its own rather than `preexec_fn`, which may deadlock where the parent
has threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h; survives execve


def main() -> None:
    """Ask for SIGKILL at the parent's death, then become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked
        raise SystemExit(1)
    os.execvp(program[0], program)  # noqa: S606 - replacing ourselves is the purpose


if __name__ == "__main__":
    main()
