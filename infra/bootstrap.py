"""Prepare an installation whose servers others run: `python -m infra.bootstrap`, once a release.

1. wait for Kafka, create the topics that are missing
2. put the assets' encoder, datasets and first model into the home folder
3. prepare the console's database and its first user
4. deploy the first model where nothing was ever deployed

Running it again does no harm. `wireroom up` takes the same steps for the servers that it embeds.
"""

from __future__ import annotations

import logging
import sys

import stamina

from console import setup
from infra.home import Home
from infra.local import StartError, deploy_first, make_topics
from infra.settings import SettingError, Settings, load
from ml import artifact
from stream.kafka import KafkaUnavailable, TopicError

KAFKA_S = 180.0  # a broker in a fresh container formats its storage first
REFUSALS = (StartError, SettingError, artifact.ArtifactError, TopicError, KafkaUnavailable)
log = logging.getLogger(__name__)


def prepare(settings: Settings) -> None:
    """Take the four steps; raises what REFUSALS lists, with the reason."""
    stamina.retry(on=KafkaUnavailable, attempts=None, timeout=KAFKA_S)(make_topics)(settings)  # 1
    home = Home(settings.home.resolve())
    home.make()
    taken = artifact.install(settings.assets, home.path)  # 2
    log.info("artifacts taken from the assets: %s", ", ".join(taken) or "none")
    setup.main()  # 3
    deploy_first(settings)  # 4


def main() -> int:
    """Prepare this installation; print why not and return 1 where that cannot be."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        prepare(load())
    except REFUSALS as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
