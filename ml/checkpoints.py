"""Checkpoints: what a killed training goes on from, as if it had never stopped.

One safetensors file holds weights, optimiser and the best weights so far; its metadata holds the
position in the data. Random numbers need no state of their own: every step draws from a generator
seeded by (seed, epoch, step). A file is written beside, flushed to the disk and renamed, so a kill
at any moment leaves the one before.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import msgspec
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as safetensors_bytes

KEPT = 2  # the newest, and the one before in case the disk spoils the newest
ABANDONED_S = 7 * 24 * 60 * 60  # a training that nobody went on with for a week
log = logging.getLogger("wireroom.checkpoints")


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where a training stands: `batch` batches of `epoch` are done, `step` batches in all.

    `best` is the best validation score so far, from `best_epoch`; `waited` epochs passed since it
    last grew. `loss_sum` is over the batches of this epoch; `history` has a row an epoch.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    best: float | None = None
    best_epoch: int = -1
    waited: int = 0
    loss_sum: float = 0.0
    history: list[dict[str, float]] = []
    ended: bool = False


class TrainingRuns(ValueError):
    """Another process is at the same training."""


class Checkpoints:
    """The checkpoints of one training, named by all that decides its outcome.

    Use as a context: it is locked meanwhile, and TrainingRuns is raised where another process holds
    it. `home/checkpoints/<digest>` is removed by `remove` once the result is saved.
    """

    def __init__(self, home: Path, work: object) -> None:
        name = hashlib.sha256(msgspec.json.encode(work, order="sorted")).hexdigest()[:32]
        self.folder = home / "checkpoints" / name

    def __enter__(self) -> Checkpoints:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self.folder / ".lock").open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise TrainingRuns("the same training is already running") from None
        os.utime(self.folder)
        self._sweep()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.close()

    def save(self, position: Position, tensors: Mapping[str, np.ndarray]) -> None:
        """Write a checkpoint; it counts once it is whole on the disk."""
        said = msgspec.json.encode(position).decode()
        content = safetensors_bytes(
            {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()},
            {"position": said, "checksum": _checksum(said, tensors)},
        )
        target = self.folder / f"{position.step:09d}.safetensors"
        draft = self.folder / ".draft"
        with draft.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(target)
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        for old in self._files()[KEPT:]:
            old.unlink()

    def load(self) -> tuple[Position, dict[str, np.ndarray]] | None:
        """Return the newest whole checkpoint, or None; a broken one is logged and passed over."""
        for file in self._files():
            try:
                return _read(file)
            except (SafetensorError, OSError, KeyError, ValueError) as error:
                log.warning("%s is passed over: %s", file, error)
        return None

    def remove(self) -> None:
        """Delete everything: the training has ended and its result is saved."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.safetensors"), reverse=True)

    def _sweep(self) -> None:
        for other in self.folder.parent.iterdir():
            if time.time() - other.stat().st_mtime > ABANDONED_S:
                shutil.rmtree(other, ignore_errors=True)


def _read(file: Path) -> tuple[Position, dict[str, np.ndarray]]:
    with safe_open(file, framework="numpy") as opened:
        said = opened.metadata()
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - the handle is no mapping
    if said["checksum"] != _checksum(said["position"], tensors):
        raise ValueError("its checksum is wrong")
    return msgspec.json.decode(said["position"], type=Position), tensors


def _checksum(position: str, tensors: Mapping[str, np.ndarray]) -> str:
    state = hashlib.blake2b(position.encode(), digest_size=16)
    for name, tensor in sorted(tensors.items()):
        state.update(name.encode())
        state.update(np.asarray(tensor, order="C").data)
    return state.hexdigest()
