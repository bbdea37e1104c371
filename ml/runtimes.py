"""What runs an encoder: OpenVINO on CPUs, TensorFlow as the reference and on GPUs.

Both take token ids and mask, int32 `(B, T)`, and return float32 `(B, D)` rows of length 1. A runtime
serves as many callers at once as it has streams.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal, Protocol

import msgspec
import numpy as np

from ml import no_telemetry  # noqa: F401 - must come before openvino
from ml.artifact import (
    ArtifactError,
    EncoderManifest,
    check_files,
    load_manifest,
    read_file,
    read_tensors,
)
from ml.sealing import is_file_sealed

RuntimeName = Literal["auto", "openvino", "tensorflow"]
Precision = Literal["auto", "f32", "bf16"]

CGROUP = Path("/sys/fs/cgroup")


class Runtime(Protocol):
    """An encoder ready to run. `precision` is what it really computes in: f32, bf16 or int8.

    `streams` is how many threads may call `encode` at once, and how many keep the machine busy.
    """

    name: str
    precision: str
    streams: int

    def encode(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return the embeddings float32 `(B, D)` of ids and mask, both int32 `(B, T)`."""
        ...


class OpenVINORuntime:
    """Intel's CPU runtime on the encoder's IR (encoder.xml and encoder.bin); needs no TensorFlow.

    The precision is always set: the default on a CPU with bfloat16 is bfloat16, silently. A stream
    a thread: threads that share a batch wait for each other at every layer, spinning, and when
    another process takes one's core all of them stand still (measured beside a busy broker, 2
    cores: 17-22 % less CPU a text, up to 3 times the rate).
    """

    name = "openvino"

    def __init__(self, encoder: Path, precision: Precision, threads: int) -> None:
        # Heavy (0.4 s), and absent where TensorFlow alone is installed.
        import openvino

        core = openvino.Core()
        if precision == "auto":
            capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            precision = "bf16" if "BF16" in capabilities else "f32"
        options = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": threads,
            "PERFORMANCE_HINT": "THROUGHPUT",
        }
        try:
            model = read_ir(core, encoder)
            compiled = core.compile_model(model, "CPU", options)
        except RuntimeError as error:
            raise ArtifactError(f"{encoder / 'encoder.xml'}: OpenVINO cannot run it") from error
        self.precision: str = precision
        self.streams = threads
        self._idle: SimpleQueue[openvino.InferRequest] = SimpleQueue()
        for _ in range(threads):
            self._idle.put(compiled.create_infer_request())
        # OpenVINO's bindings build their table of types at the first use, and two threads that come
        # to it together wait for each other for ever: one for the table, one for Python's lock.
        self.encode(np.zeros((1, 1), np.int32), np.ones((1, 1), np.int32))

    def encode(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        request = self._idle.get()
        try:
            # A copy: the request's output tensor is overwritten by the next call.
            return np.array(request.infer([ids, mask])[0], dtype=np.float32)
        finally:
            self._idle.put(request)


def read_ir(core: Any, encoder: Path) -> Any:
    """Read an encoder's IR, sealed or plain; raises ArtifactError, RuntimeError where it is none."""
    files = encoder / "encoder.xml", encoder / "encoder.bin"
    if any(is_file_sealed(file) for file in files):
        return core.read_model(*map(read_file, files))
    return core.read_model(files[0])  # by its path, so that the weights are mapped, not copied


class TensorFlowRuntime:
    """The Keras encoder itself, compiled by TensorFlow; the reference, and what runs on GPUs."""

    name = "tensorflow"
    streams = 1

    def __init__(self, encoder: Path, manifest: EncoderManifest, precision: Precision) -> None:
        if precision == "bf16":
            raise ArtifactError("the tensorflow runtime computes in f32; got precision bf16")
        # Takes 4-7 s and 560 MB, so only the process that runs it pays.
        import tensorflow as tf

        from ml.encoder import EncoderConfig, build

        config = msgspec.convert(manifest.config, EncoderConfig)
        try:
            model = build(config, read_tensors(encoder / "weights.safetensors"))
        except ValueError as error:
            raise ArtifactError(f"{encoder / 'weights.safetensors'}: {error}") from error
        spec = tf.TensorSpec((None, None), tf.int32)
        self._call: Any = tf.function(model, input_signature=[spec, spec])
        self.precision = "f32"

    def encode(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return np.asarray(self._call(ids, mask).numpy())


def load(
    encoder: Path, runtime: RuntimeName = "auto", precision: Precision = "auto", threads: int = 0
) -> Runtime:
    """Check the encoder's files and return a runtime for them.

    `auto` is OpenVINO where the encoder has its IR, else TensorFlow. `threads` 0 takes what the
    cgroup and the affinity allow. Raises ArtifactError where files are broken or missing.
    """
    manifest = load_manifest(encoder, EncoderManifest)
    check_files(encoder, manifest)
    if runtime == "auto":
        runtime = "openvino" if "encoder.xml" in manifest.files else "tensorflow"
    needed = "encoder.xml" if runtime == "openvino" else "weights.safetensors"
    if needed not in manifest.files:
        raise ArtifactError(f"{manifest.id} has no {needed}: the {runtime} runtime cannot run it")
    if runtime == "tensorflow":
        return TensorFlowRuntime(encoder, manifest, precision)
    return OpenVINORuntime(encoder, precision, threads or allowed_threads())


def allowed_threads(cgroup: Path = CGROUP) -> int:
    """Return how many threads may run at once: the affinity, or less by the cgroup's CPU quota."""
    cores = len(os.sched_getaffinity(0))
    quota = _quota(cgroup)
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def _quota(cgroup: Path) -> float | None:
    """Read the CPU quota in cores (cgroup v2, then v1); None where there is none."""
    try:
        limit, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    if not limit.isdigit():  # "max", or -1 in version 1
        return None
    return int(limit) / int(period)
