"""A text that kills an engine is found and given up; the others are answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml.text import digest
from stream.engine_client import PoisonousTexts
from tests.stream.dying_engine import ENCODER, POISON
from tests.stream.routing import routing

DEATHS = 3  # once among others, twice alone


@pytest.mark.parametrize("engines", [1, 2])
def test_a_poisonous_text_costs_three_deaths_and_the_others_are_answered(
    engines: int, tmp_path: Path
) -> None:
    with routing(tmp_path, engines=engines) as router:
        client = router.client()
        good = ["oil rose", "wheat fell", "the choir sang"]
        with pytest.raises(PoisonousTexts) as raised:
            client.embed(ENCODER, [*good, POISON])
        assert raised.value.digests == {digest(POISON)}
        assert [float(e.vector[0]) for e in client.embed(ENCODER, good)] == [8.0, 10.0, 14.0]
        with pytest.raises(PoisonousTexts):
            client.embed(ENCODER, [POISON])
        client.close()
        assert router.figures()["restarts"] == DEATHS
