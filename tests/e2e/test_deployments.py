"""Another model version goes into service and back while articles flow, by command and console."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from itertools import groupby
from urllib.parse import quote

from infra import names
from infra.settings import Settings
from stream import deployments, publisher
from stream.publisher import Item
from tests.answers import Answers, article, check_accounts, following
from tests.chaos.versions import another_head
from tests.operating import Operator
from tests.running import Running, wait_until

RATE = 100.0
WITHIN_S = 30.0  # after a deployment every partition is answered by the new version


class Flow(threading.Thread):
    """Articles at a rate, from its start to `stop`; `uris` are those sent."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="flow", daemon=True)
        self._settings = settings
        self._stopping = threading.Event()
        self.uris: list[str] = []

    def run(self) -> None:
        """Publish until told to stop."""
        publisher.publish(self._settings, self._articles(), rate=RATE)

    def _articles(self) -> Iterator[Item]:
        while not self._stopping.is_set():
            n = len(self.uris)
            self.uris.append(f"flow:{n}")
            yield article(self.uris[-1], f"Ship {n} brings {n * 17} tonnes of wheat to Rotterdam")

    def stop(self) -> None:
        """End, and wait until everything sent is acknowledged."""
        self._stopping.set()
        self.join()


def wait_for_version(answers: Answers, model: str) -> None:
    """Wait until the newest result of every partition names this version."""

    def serves_everywhere() -> bool:
        answers.read()
        newest = {result.origin.partition: result for result in answers.results}
        return len(newest) == names.PARTITIONS and all(
            result.subjects[0].model == model for result in newest.values()
        )

    wait_until(serves_everywhere, WITHIN_S, f"{model} in every partition")


def test_every_result_names_the_version_that_made_it_while_versions_change(
    system: Running,
) -> None:
    first = deployments.read(system.settings).champions["topic"]
    second = another_head(system.settings.home, first)
    operator = Operator(system)
    flow = Flow(system.settings)
    with following(system) as answers:
        flow.start()
        try:
            wait_for_version(answers, first)
            assert json.loads(system.command("deploy", "topic", second, "--json").stdout)[
                "champion"
            ] == (second)
            wait_for_version(answers, second)
            system.command("rollback", "topic")
            wait_for_version(answers, first)
            confirm(operator, f"/models/{quote(second)}/deploy/", first, second)
            wait_for_version(answers, second)
            confirm(operator, "/classifiers/topic/rollback/", second, first)
            wait_for_version(answers, first)
        finally:
            flow.stop()
        found = answers.to(flow.uris)
    for partition in range(names.PARTITIONS):
        ours = [r for r in found.values() if r.origin.partition == partition]
        ours.sort(key=lambda result: result.origin.offset)
        served = [model for model, _ in groupby(r.subjects[0].model for r in ours)]
        assert served == [first, second, first, second, first], partition
    check_accounts(system)


def confirm(operator: Operator, path: str, now: str, then: str) -> None:
    """Confirm a change from one version to another, once the console knows what serves."""
    wait_until(lambda: _is_offered(operator.look(path), now, then), 30, f"{path} from {now}")
    page = operator.send(path, why="a test")
    assert f"{then} is deployed for topic" in page


def _is_offered(page: str, now: str, then: str) -> bool:
    return f'<td class="mono">{now}</td><td class="mono"><strong>{then}</strong></td>' in page
