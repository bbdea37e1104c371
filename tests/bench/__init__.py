"""Benchmarks: `python -m tests.bench [GROUP]`. They print figures and never fail on a time."""
