"""The proof from outside: articles in, faults, and a count of what came out.

Nothing here knows how Wireroom works inside. It sees the `wireroom` command, the process ids that
`wireroom status --json` gives, and the Kafka topics. Run as `python -m tests.chaos`.
"""
