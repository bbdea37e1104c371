"""The training loop: steps, validation, early stopping, checkpoints.

1. go on from the newest checkpoint, where there is one
2. take every batch of the epoch's plan: inputs, gradient, update
3. save a checkpoint when one is due, and after every epoch's validation
4. stop after the last epoch, when validation no longer grows, or when time is up
5. put the best weights back

With op determinism on, a training that was killed any number of times ends with the same bits as
one that was not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import msgspec
import numpy as np
import tensorflow as tf
from keras import ops

from ml.checkpoints import Checkpoints, Position
from ml.epochs import generator
from ml.event_file import EventFile
from ml.optimisation import Recipe, optimiser

EVERY_S = 30.0  # between checkpoints; one of minilm-l6 takes 0.5 s
Inputs = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Task:
    """What is trained on what.

    `variables` are the weights that move. `plan(epoch)` gives the epoch's batches, each an array of
    indices; `inputs(batch, draw)` makes a batch's tensors with random numbers of its own, as
    `signature` says; `loss(*inputs)` is a scalar. `validate()` gives a score, larger is better; without
    it every epoch is run and the last weights stay. `after_step(step, steps)` may change weights
    after an update; what it must remember is in the variables `state`.
    """

    variables: Sequence[Any]
    signature: Sequence[Any]
    plan: Callable[[int], list[np.ndarray]]
    inputs: Callable[[np.ndarray, np.random.Generator], Inputs]
    loss: Callable[..., Any]
    validate: Callable[[], float] | None = None
    after_step: Callable[[int, int], None] | None = None
    state: Sequence[Any] = ()


@dataclass(frozen=True)
class Watching:
    """Who looks on: progress as steps done and in all, event files, and how long it may take."""

    progress: Callable[[int, int], None] | None = None
    events: Path | None = None
    deadline: float | None = None  # of time.monotonic
    every_s: float = EVERY_S
    log: Callable[[str], None] | None = None


def prepare(seed: int) -> None:
    """Make TensorFlow deterministic; call before the model is built."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def descend(
    task: Task, recipe: Recipe, checkpoints: Checkpoints, watching: Watching | None = None
) -> Position:
    """Train `task.variables` in place; returns where it ended, with a history row an epoch."""
    watching = watching or Watching()
    counts = [len(task.plan(epoch)) for epoch in range(recipe.epochs)]
    steps = sum(counts)
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    moving = optimiser(recipe, steps, task.variables, replicas)
    take_step = _step(task, moving)
    state = [*task.variables, *moving.variables, *task.state]
    position = Position()
    best: list[np.ndarray] = []
    if found := checkpoints.load():  # 1
        position, tensors = found
        _restore(state, tensors)
        best = [tensors[f"best/{n}"] for n in range(len(task.variables)) if f"best/{n}" in tensors]
        if watching.log:
            watching.log(f"goes on from step {position.step} of {steps}")

    def save(now: Position) -> None:
        tensors = {f"state/{n}": _numpy(v) for n, v in enumerate(state)}
        checkpoints.save(now, tensors | {f"best/{n}": t for n, t in enumerate(best)})

    events = EventFile(watching.events) if watching.events else None
    saved = time.monotonic()
    while not position.ended and position.epoch < recipe.epochs:
        batches = task.plan(position.epoch)
        while position.batch < len(batches):  # 2
            draw = generator(recipe.seed, position.epoch, position.batch, 2)
            shards = shared(batches[position.batch], replicas)
            loss = take_step([task.inputs(shard, draw) for shard in shards])
            if not np.isfinite(loss):
                raise ValueError(f"the loss is {loss} at step {position.step}: lower the rate")
            position = msgspec.structs.replace(
                position,
                batch=position.batch + 1,
                step=position.step + 1,
                loss_sum=position.loss_sum + loss,
            )
            if task.after_step:
                task.after_step(position.step, steps)
            if events:
                events.scalar("loss", loss, position.step)
            if watching.progress:
                watching.progress(position.step, steps)
            if _late(watching):
                break
            if time.monotonic() - saved >= watching.every_s:  # 3
                save(position)
                saved = time.monotonic()
        score = task.validate() if task.validate else None
        position = _judged(position, score, recipe, late=_late(watching))
        if events:
            for name, value in position.history[-1].items():
                events.scalar(f"epoch/{name}", value, position.step)
        if position.best_epoch == position.epoch - 1:
            best = [_numpy(v) for v in task.variables]
        save(position)
        saved = time.monotonic()
    if best:  # 5
        for variable, kept in zip(task.variables, best, strict=True):
            variable.assign(kept)
    if events:
        events.close()
    return position


def _judged(position: Position, score: float | None, recipe: Recipe, *, late: bool) -> Position:
    """Return the position at the start of the next epoch, with what this one came to."""  # 4
    row = {"epoch": float(position.epoch), "loss": position.loss_sum / max(1, position.batch)}
    best, best_epoch, waited = position.best, position.best_epoch, 0
    if score is not None:
        row["validation"] = score
        waited = 0 if best is None or score > best else position.waited + 1
        # Of equals the later, whose rate was lower; yet only a better one renews the patience.
        if best is None or score >= best:
            best, best_epoch = score, position.epoch
    return Position(
        epoch=position.epoch + 1,
        step=position.step,
        best=best,
        best_epoch=best_epoch,
        waited=waited,
        history=[*position.history, row],
        ended=late or waited >= recipe.patience,
    )


def shared(batch: np.ndarray, replicas: int) -> list[np.ndarray]:
    """Cut a batch into nearly equal shards, one a device; all get it whole where it is too small."""
    return np.array_split(batch, replicas) if len(batch) >= replicas else [batch] * replicas


def _step(task: Task, moving: Any) -> Callable[[list[Inputs]], float]:
    """Return a step on one shard a device: the gradients' mean moves the weights on all of them."""
    variables = list(task.variables)
    strategy = tf.distribute.get_strategy()
    replicas = strategy.num_replicas_in_sync

    def one(*inputs: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = task.loss(*inputs)
        # A table's gradient comes as slices, and Keras takes the norm of these for the table's.
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, variables)]
        if replicas > 1:
            everywhere = tf.distribute.get_replica_context()
            # Keras clips, to a share of the limit, and then sums: once more over the replicas.
            gradients = everywhere.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
            gradients = [gradient / replicas for gradient in gradients]
        moving.apply(gradients)
        return loss

    if replicas == 1:
        compiled = tf.function(one, input_signature=list(task.signature))
        return lambda shards: float(compiled(*shards[0]))

    together = tf.function(lambda inputs: strategy.run(one, inputs), reduce_retracing=True)

    def take(shards: list[Inputs]) -> float:
        tensors = [[tf.constant(array) for array in shard] for shard in shards]
        inputs = tuple(
            strategy.experimental_distribute_values_from_function(
                lambda context, n=n: tensors[context.replica_id_in_sync_group][n]
            )
            for n in range(len(tensors[0]))
        )
        losses = together(inputs)
        return float(strategy.reduce(tf.distribute.ReduceOp.MEAN, losses, axis=None))

    return take


def _restore(state: Sequence[Any], tensors: dict[str, np.ndarray]) -> None:
    for n, variable in enumerate(state):
        variable.assign(tensors[f"state/{n}"])


def _numpy(variable: Any) -> np.ndarray:
    return np.array(ops.convert_to_numpy(variable))


def _late(watching: Watching) -> bool:
    return watching.deadline is not None and time.monotonic() >= watching.deadline
