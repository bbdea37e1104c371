"""`python -m tests.chaos`: the proof from outside, on a system started for it."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.chaos import kinds, standby, table, trial
from tests.running import running


def main() -> int:
    """Run one trial; exit status 1 when anything is off. Late results are told, and no failure."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--articles", type=int, default=20_000)
    known = f"kind:count,... of {', '.join(kinds.KINDS)}"
    parser.add_argument("--faults", type=kinds.parse, default="kill:10", help=known)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=250.0, help="messages a second")
    parser.add_argument("--agents", type=int, default=2)
    parser.add_argument(
        "--standby", type=float, metavar="S", help="quantize, and let the twin answer after so long"
    )
    parser.add_argument("--transactional", action="store_true", help="feed in transactions")
    given = parser.parse_args()
    plan = trial.Plan(given.articles, given.faults, given.seed, given.rate, given.transactional)
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        home = Path(folder, "home")
        home.mkdir()
        if given.standby:
            standby.prepare(home, given.standby)
        roles = kinds.roles(plan.faults, standby=bool(given.standby))
        with running(home, "--agents", str(given.agents), "--only", *roles) as system:
            outcome = trial.run(system, plan, Path(folder))
    print("\n".join(table.lines(outcome)))
    for line in (*map(table.late, outcome.late), *outcome.problems):
        print(line, file=sys.stderr)
    print(json.dumps({**outcome.figures, "seed": plan.seed, "problems": len(outcome.problems)}))
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
