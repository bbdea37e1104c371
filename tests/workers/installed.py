"""Workers and schedulers as they really run: processes on a real Valkey, with the test's own job.

`celery -A tests.workers.installed` is `celery -A workers.app` with `play_job.py` for `ml.job`.
"""

from __future__ import annotations

from tests.workers.plays import PLAY_JOB
from workers.app import app

app.conf.job_command = PLAY_JOB

__all__ = ["app"]
