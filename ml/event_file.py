"""TensorBoard's event files, written by TensorFlow alone.

`tf.summary.scalar` needs the tensorboard package; the operation beneath it does not. Whoever has
TensorBoard can read them: `tensorboard --logdir <home>/runs`.
"""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf


class EventFile:
    """Scalars by tag and step, in a file of its own in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._writer = tf.summary.create_file_writer(str(folder))

    def scalar(self, tag: str, value: float, step: int) -> None:
        """Write one number."""
        tf.raw_ops.WriteScalarSummary(
            writer=self._writer._resource,  # the public way asks for tensorboard
            step=step,
            tag=tag,
            value=value,
        )

    def close(self) -> None:
        """Write what is still in memory."""
        self._writer.close()
