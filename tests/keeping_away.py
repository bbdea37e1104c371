"""The workers of an encoder in a running system, killed once or for as long as it takes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil

from ml.artifact import EncoderManifest, encoder_path, find_encoder, save
from tests.running import Running

LOOK_S = 0.1  # a worker takes several times that to load


def make_twin(home: Path, encoder: str) -> str:
    """Save what looks like an encoder's int8 twin, without quantizing anything; return its id.

    It reads half as much of a text, so that its vectors are not the encoder's.
    """
    path = encoder_path(home, encoder)
    manifest = find_encoder(home, encoder)
    twin: EncoderManifest = msgspec.structs.replace(
        manifest,
        name=f"{manifest.name}-int8",
        precision="int8",
        window=manifest.window // 2,
        parents=[encoder],
    )
    files = {name: path / name for name in ("encoder.xml", "encoder.bin", "tokenizer.json")}
    return save(home, twin, files).id


def kill_workers(system: Running, encoder: str) -> int:
    """Kill the workers of one encoder and return how many there were."""
    killed = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        for worker in psutil.Process(system.process("engine")["pid"]).children():
            if encoder in worker.cmdline():
                worker.kill()
                killed += 1
    return killed


@contextmanager
def kept_away(system: Running, encoder: str) -> Iterator[None]:
    """Kill every worker of an encoder while the block runs."""
    stopping = threading.Event()

    def keep() -> None:
        while not stopping.is_set():
            kill_workers(system, encoder)
            stopping.wait(LOOK_S)

    killing = threading.Thread(target=keep, daemon=True)
    killing.start()
    try:
        yield
    finally:
        stopping.set()
        killing.join()
