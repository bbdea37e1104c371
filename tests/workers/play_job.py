"""A job for tests: plays the lines of the specification's `play`, then ends as told.

Each line of `play` is printed as it is, except: `sleep 3`, `exit 4`, `kill`, `family` (starts a
child that lives long and prints its number), `environment` (prints what it sees of our settings),
`ignore` (turns SIGTERM off), `spec` (prints the whole specification), `count FILE`
(adds its number to the file).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    specification = json.load(sys.stdin)
    for line in specification["play"]:
        command, _, argument = line.partition(" ")
        match command:
            case "sleep":
                time.sleep(float(argument))
            case "exit":
                sys.exit(int(argument))
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "family":
                child = subprocess.Popen(["sleep", "600"])
                print(json.dumps({"event": "log", "text": f"child {child.pid}"}), flush=True)
            case "environment":
                seen = [k for k in os.environ if k.startswith(("WIREROOM", "DJANGO"))]
                print(json.dumps({"event": "log", "text": f"sees {seen}"}), flush=True)
            case "ignore":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            case "spec":
                event = {"event": "log", "text": json.dumps(specification)}
                print(json.dumps(event), flush=True)
            case "count":
                with Path(argument).open("a") as file:
                    file.write(f"{os.getpid()}\n")
            case _:
                print(line, flush=True)


main()
