"""`python -m tests`: run pytest and close with the line `N passed, N failed`."""

from __future__ import annotations

import sys

import pytest


class Count:
    """Counts tests by outcome; an error in a fixture is a failure."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count one phase of one test."""
        if report.failed:
            self.failed += 1
        elif report.when == "call" and report.passed:
            self.passed += 1


def main() -> int:
    """Run all tests, or those named on the command line; return pytest's exit status."""
    count = Count()
    status = pytest.main(["-q", *sys.argv[1:]], plugins=[count])
    if status != pytest.ExitCode.OK and not count.failed:
        count.failed = 1  # nothing was collected, or pytest itself stopped
    print(f"{count.passed} passed, {count.failed} failed")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
