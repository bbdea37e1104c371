"""Apache Kafka's jars: named and hashed in kafka_jars.json, fetched by jgo.

The list is what `jgo.resolve("org.apache.kafka:kafka_2.13:4.3.1")` resolves to. It is kept beside the code because walking the POMs takes
18 s, and so that everyone runs the same 46 files.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import msgspec
import stamina
from jgo.maven import MavenContext

from infra.assets.display import AssetError, Display
from ml.artifact import sha256_of

LIST = Path(__file__).resolve().parent.parent / "kafka_jars.json"
STEP = "Apache Kafka 4.3.1"
CONNECTIONS = 8
TIMEOUT_S = 60  # of one answer; jgo's own 10 s are short for the larger jars
ATTEMPTS = 3


class Jar(msgspec.Struct, frozen=True):
    """One jar: its Maven coordinate group:artifact:version, and what its file must be."""

    coordinate: str
    file: str
    size: int
    sha256: str


def listed() -> list[Jar]:
    """Return the jars that make up Kafka."""
    return msgspec.json.decode(LIST.read_bytes(), type=list[Jar])


def fetch(folder: Path, display: Display) -> None:
    """Make `folder` hold every listed jar; raises AssetError.

    A jar of another hash is fetched again; one that is not listed would be loaded too, so it goes.
    """
    jars = listed()
    folder.mkdir(parents=True, exist_ok=True)
    for stray in {path.name for path in folder.iterdir()} - {jar.file for jar in jars}:
        (folder / stray).unlink()
    missing = [jar for jar in jars if not is_whole(folder / jar.file, jar.size, jar.sha256)]
    if missing:
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as repository:
            _download(missing, Path(repository), folder, display)
    display.end(STEP, f"{len(jars)} jars")


def is_whole(file: Path, size: int, sha256: str) -> bool:
    """Tell whether a file is there with this size and hash."""
    return file.is_file() and file.stat().st_size == size and sha256_of(file) == sha256


def _download(jars: Sequence[Jar], repository: Path, folder: Path, display: Display) -> None:
    context = MavenContext(repo_cache=repository, timeout=TIMEOUT_S)
    total, done = sum(jar.size for jar in jars), 0
    display.step(STEP, 0, total, f"0 of {total // 1_000_000} MB")
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        running = {pool.submit(_fetch_one, context, jar, folder): jar for jar in jars}
        try:
            for future in as_completed(running):
                future.result()
                done += running[future].size
                state = f"{done // 1_000_000} of {total // 1_000_000} MB"
                display.step(STEP, done, total, state)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _fetch_one(context: MavenContext, jar: Jar, folder: Path) -> None:
    group, name, version = jar.coordinate.split(":")
    artifact = context.project(group, name).at_version(version).artifact()
    try:
        # jgo raises RuntimeError for an answer that is not the file, requests an OSError.
        for attempt in stamina.retry_context(on=(OSError, RuntimeError), attempts=ATTEMPTS):
            with attempt:
                if artifact.cached_path:
                    artifact.cached_path.unlink(missing_ok=True)  # the torn one of an attempt
                path = Path(artifact.resolve())
                if not is_whole(path, jar.size, jar.sha256):
                    raise OSError(f"expected sha256 {jar.sha256}, got {sha256_of(path)}")
    except (OSError, RuntimeError) as error:
        raise AssetError(f"could not fetch {jar.coordinate}: {error}") from error
    draft = folder / f".{jar.file}.draft"
    shutil.move(path, draft)
    draft.replace(folder / jar.file)
