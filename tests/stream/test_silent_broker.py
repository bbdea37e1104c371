"""An agent whose broker falls silent in the middle of a batch: it ends, and its successor answers."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from infra import names
from stream import account, kafka
from stream.account import Account
from stream.outputs import Output
from stream.pipeline import Batch
from tests.running import SERVERS, running
from tests.stream.delivering import delivering, member

SESSION_S = 2.0


def test_a_delivery_is_given_up_and_comes_out_once(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with running(home, "--only", *SERVERS) as system:
        settings = replace(system.settings, process="agent-1", session_timeout_s=SESSION_S)
        kafka.ensure_topics(settings)
        topic = settings.topic(names.CLASSIFICATIONS.name)
        result = Output(topic, 0, b"uri", b"{}", [], is_result=True)
        ours = Batch([result], {}, {0: Account(first=1)}, {0: 1}, {}, {})
        with member(settings) as consumer:
            membership = consumer.consumer_group_metadata()
            silenced = delivering(settings)
            system.kill("broker", signal.SIGSTOP)
            began = time.monotonic()
            try:
                with pytest.raises(TimeoutError):
                    asyncio.run(silenced.deliver(ours, membership))
                took_s = time.monotonic() - began
            finally:
                system.kill("broker", signal.SIGCONT)
            assert SESSION_S <= took_s < 2 * SESSION_S
            successor = delivering(settings)  # fences it, once what it has sent is settled
            if account.committed(settings, [0])[0] == (-1, Account()):
                asyncio.run(successor.deliver(ours, membership))
        kafka.wait_until_settled(settings, topic, [0])
        assert [m.value() for m in kafka.read_to_end(settings, topic)] == [b"{}"]
        assert account.committed(settings, [0]) == {0: (1, Account(first=1))}
