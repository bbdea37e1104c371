"""A job for tests: plays the lines of the specification's `play`, then ends as told.

Each line of `play` is printed as it is, except: `sleep 3`, `exit 4`, `kill`, `family` (starts a
child that lives long and prints its number), `environment` (prints what it sees of our settings),
`ignore` (turns SIGTERM off), `spec` (prints the whole specification), `count FILE`
(adds its number to the file), `die FILE 3` (is killed at its first three starts), `grow 100` (takes
as many megabytes).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

held: list[bytes] = []


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
            case "die":  # FILE TIMES: the first starts are killed
                file_name, times = argument.split()
                with Path(file_name).open("a+") as file:
                    file.write("started\n")
                    file.seek(0)
                    if len(file.readlines()) <= int(times):
                        file.flush()
                        os.kill(os.getpid(), signal.SIGKILL)
            case "grow":  # MEGABYTES
                held.append(os.urandom(int(argument) * 2**20))
            case "count":
                with Path(argument).open("a") as file:
                    file.write(f"{os.getpid()}\n")
            case _:
                print(line, flush=True)


main()
