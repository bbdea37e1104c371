"""The worker's explainer: a process that is started by the first question and ends when idle.

TensorFlow takes seconds to load and 600 MB, so there is one such process a worker, kept warm between
questions, and none where nobody asks. It is `ml.explaining`: it knows neither Kafka nor Redis, so
this thread reads the article for it and carries the answer away. The kernel kills it when the
worker's thread ends.
"""

from __future__ import annotations

import json
import logging
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import redis

from infra.settings import PREFIX, ROOT, Settings
from ml.messages import InvalidArticle
from stream import explanations, kafka
from stream.explanations import NotExplained, Question
from workers.child import LAUNCH, NICE

EXPLAINER = (sys.executable, "-m", "ml.explaining")
ANSWER_S = 90.0  # the first question also waits for TensorFlow, on a busy machine for a minute
END_S = 2.0
PAUSE_S = 2.0  # before asking a tasks server again that was away
log = logging.getLogger(__name__)


class WarmExplainer:
    """One explaining process: started by the first question, ended by `rest` or `close`."""

    def __init__(self, settings: Settings, command: Sequence[str] = EXPLAINER) -> None:
        self._settings = settings
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = time.monotonic()

    @property
    def pid(self) -> int | None:
        """The process, None where none runs."""
        return self._process.pid if self._process else None

    def explain(self, question: Question) -> dict[str, Any]:
        """Return the answer as `ml.explaining` gives it; a broken process is one error, then new."""
        try:
            title, body = explanations.read(self._settings, question)
        except (NotExplained, kafka.KafkaUnavailable, InvalidArticle) as error:
            return _error(str(error))
        request = {"id": question.id, "model": question.model, "title": title, "body": body}
        if question.label is not None:
            request["label"] = question.label
        try:
            return self._exchange(request)
        except (OSError, ValueError, TimeoutError) as error:
            log.warning("the explainer is ended: %s", error)
            self.close()
            return _error(f"the explainer failed ({error or 'it ended'}); ask again")
        finally:
            self._asked = time.monotonic()

    def rest(self) -> None:
        """End the process where nobody has asked for long."""
        if self._process and time.monotonic() - self._asked > self._settings.explainer_idle_s:
            self.close()

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], ANSWER_S)[0]:
            raise TimeoutError(f"no answer within {ANSWER_S:g} s")
        answer: dict[str, Any] = json.loads(process.stdout.readline())
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process and self._process.poll() is None:
            return self._process
        self.close()
        settings = self._settings
        environment = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
        logs = settings.home.resolve() / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        log_file = (logs / "explainer.log").open("wb")  # of the newest process: bounded
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), *NICE, *self._command],
            cwd=ROOT,
            env={**environment, "TF_CPP_MIN_LOG_LEVEL": "2"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log_file,
        )
        log_file.close()
        setup = {
            "home": str(settings.home.resolve()),
            "runtime": settings.runtime,
            "precision": settings.precision,
            "threads": settings.threads,
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(setup).encode() + b"\n")
        return self._process

    def close(self) -> None:
        """End the process, asked first and then by force."""
        if self._process is None:
            return
        process, self._process = self._process, None
        try:
            process.communicate(timeout=END_S)  # closes its input, at whose end it ends
        except (subprocess.TimeoutExpired, OSError, ValueError):
            process.kill()
            process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _error(text: str) -> dict[str, Any]:
    return {"event": "error", "text": text}


def answer_questions(settings: Settings, stopping: Callable[[], bool]) -> None:
    """Answer questions until the worker stops, one at a time."""
    client = explanations.connect(settings)
    prefix = settings.topic_prefix
    with WarmExplainer(settings) as explainer:
        while not stopping():
            try:
                question = explanations.take(client, prefix)
                if question is not None:
                    explanations.give(client, prefix, question, explainer.explain(question))
            except redis.RedisError as error:
                log.warning("the explainer waits for the tasks server: %s", error)
                time.sleep(PAUSE_S)
            except Exception:
                log.exception("a question failed")
            explainer.rest()


def start(settings: Settings, stopping: Callable[[], bool]) -> threading.Thread:
    """Answer questions in a thread of this process; it ends once `stopping` says so."""
    thread = threading.Thread(
        target=answer_questions, args=(settings, stopping), name="explainer", daemon=True
    )
    thread.start()
    return thread
