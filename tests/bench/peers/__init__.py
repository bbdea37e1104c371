"""What a user would otherwise pick, each in a process of its own environment.

`environment` and `peer` are ours; everything else here runs in `.venv-peers` alone.
"""
