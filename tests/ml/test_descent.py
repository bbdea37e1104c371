"""Training itself: the schedule, the order, early stopping, clipping; pruning's and rounding's steps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from msgspec import structs

from ml.checkpoints import Checkpoints
from ml.descent import Task, Watching, descend, prepare
from ml.devices import bfloat16_pays, computing_in
from ml.distillation import every_other
from ml.encoder import build, weights_of
from ml.epochs import drop_words, generator, plan
from ml.finetuning import TrainedHead, classification
from ml.optimisation import Recipe, optimiser, schedule
from ml.pretraining import MASK_ID, hide
from ml.pruning import pruned_share, smallest
from ml.quantization_aware import rounded_inputs, rounded_weights, simulate
from tests.ml.tiny import CONFIG, articles

# Keras 3.15 reads TensorFlow's variables in a way that NumPy 2 calls old.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def checkpoints(tmp_path: Path) -> Iterator[Checkpoints]:
    with Checkpoints(tmp_path, "test") as opened:
        yield opened


def labels_task(recipe: Recipe, count: int = 96) -> tuple[Task, TrainedHead]:
    """Return the tiny task: tell which of two words an article holds."""
    prepare(recipe.seed)
    encoder, head = build(CONFIG), TrainedHead(CONFIG.width, 2)
    data = articles(count)
    train, validation = data.take(np.arange(count - 16)), data.take(np.arange(count - 16, count))
    return classification(encoder, head, train, validation, recipe, table=True), head


def test_the_rate_climbs_then_falls_as_a_cosine() -> None:
    rate = schedule(Recipe(epochs=1, rate=0.01, warm_up=0.2), 100)
    found = [float(rate(step)) for step in (0, 10, 20, 60, 100)]
    assert found == pytest.approx([0.0, 0.005, 0.01, 0.005, 0.0], abs=1e-7)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_a_step_of_any_optimiser_is_clipped(name: str) -> None:
    recipe = Recipe(epochs=1, rate=0.5, optimiser=name, clip=1.0, decay=0.0, warm_up=0.0)  # type: ignore[arg-type]
    weight = keras.Variable(np.zeros(2, "float32"))
    moving = optimiser(recipe, 10, [weight])
    moving.iterations.assign(1)  # the climb is over
    moving.apply([ops.convert_to_tensor(np.array([3e6, 4e6], "float32"))])
    assert float(ops.norm(weight)) <= 1.0  # unclipped, SGD would have gone 2.5 million


def test_offsets_and_scales_do_not_decay() -> None:
    recipe = Recipe(epochs=1, rate=0.1, decay=0.5, warm_up=0.0)
    layer = keras.layers.Dense(1, bias_initializer="ones", kernel_initializer="ones")
    layer.build((None, 1))
    moving = optimiser(recipe, 10, layer.trainable_variables)
    moving.iterations.assign(1)  # the climb is over
    moving.apply([ops.zeros((1, 1)), ops.zeros((1,))])
    assert float(layer.kernel[0, 0]) == pytest.approx(0.95)
    assert float(layer.bias[0]) == 1.0


def test_every_article_is_in_one_batch_of_an_epoch() -> None:
    lengths = [5, 300, 17, 40, 8, 120, 33, 64, 3, 90]
    batches = plan(lengths, seed=1, epoch=0, rows=4, tokens=256)
    assert sorted(n for batch in batches for n in batch) == list(range(10))
    assert all(len(batch) <= 4 for batch in batches)
    assert [1] in [batch.tolist() for batch in batches]  # longer than the budget: alone
    assert [b.tolist() for b in batches] == [
        b.tolist() for b in plan(lengths, seed=1, epoch=0, rows=4, tokens=256)
    ]
    assert [b.tolist() for b in batches] != [
        b.tolist() for b in plan(lengths, seed=1, epoch=1, rows=4, tokens=256)
    ]


def test_dropped_words_leave_the_first() -> None:
    mask = np.ones((4, 1_000), np.int32)
    kept = drop_words(mask, 0.25, generator(0))
    assert kept[:, 0].tolist() == [1, 1, 1, 1]
    assert kept.mean() == pytest.approx(0.75, abs=0.03)


def test_a_task_is_learnt_and_the_best_weights_stay(checkpoints: Checkpoints) -> None:
    recipe = Recipe(epochs=8, rate=5e-3, rows=8, tokens=256)
    task, _ = labels_task(recipe)
    end = descend(task, recipe, checkpoints)
    assert end.history[-1]["loss"] < end.history[0]["loss"] / 10
    assert end.best == 1.0
    assert task.validate is not None
    assert task.validate() == 1.0


def test_training_stops_when_validation_no_longer_grows(checkpoints: Checkpoints) -> None:
    recipe = Recipe(epochs=50, rate=1e-3, patience=2, rows=40, tokens=4_096)
    task, _ = labels_task(recipe)
    scores = iter([0.5, 0.7, 0.7, 0.6, 0.9])
    end = descend(
        Task(
            task.variables, task.signature, task.plan, task.inputs, task.loss, lambda: next(scores)
        ),
        recipe,
        checkpoints,
    )
    assert [row["validation"] for row in end.history] == [0.5, 0.7, 0.7, 0.6]
    assert (end.best, end.best_epoch, end.ended) == (0.7, 2, True)  # of equals the later


def test_training_ends_at_its_deadline_with_a_score(checkpoints: Checkpoints) -> None:
    recipe = Recipe(epochs=50, rate=1e-3, rows=8, tokens=256)
    task, _ = labels_task(recipe)
    end = descend(task, recipe, checkpoints, Watching(deadline=time.monotonic()))
    assert (end.step, end.ended, len(end.history)) == (1, True, 1)
    assert "validation" in end.history[0]


def test_a_loss_that_is_no_number_ends_the_training(checkpoints: Checkpoints) -> None:
    recipe = Recipe(epochs=1, rate=1e-3)
    task, head = labels_task(recipe)
    head.variables[1].assign(np.full(2, np.nan, np.float32))
    with pytest.raises(ValueError, match="the loss is nan at step 0: lower the rate"):
        descend(task, recipe, checkpoints)


def test_a_training_that_ended_is_not_trained_on(checkpoints: Checkpoints) -> None:
    recipe = Recipe(epochs=2, rate=1e-3, rows=40, tokens=4_096)
    task, _ = labels_task(recipe)
    first = descend(task, recipe, checkpoints)
    weights = [np.array(ops.convert_to_numpy(v)) for v in task.variables]
    again, _ = labels_task(recipe)
    assert descend(again, recipe, checkpoints) == first
    for variable, kept in zip(again.variables, weights, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), kept)


def test_hidden_tokens_are_a_seventh_and_mostly_masked() -> None:
    ids = np.full((50, 100), 20, np.int32)
    ids[:, 0] = 2  # [CLS]
    mask = np.ones_like(ids)
    mask[:, 90:] = 0
    shown, places, hidden = hide(ids, mask, 10_000, generator(0))
    assert hidden.tolist() == [20] * len(places)
    assert len(places) / (50 * 89) == pytest.approx(0.15, abs=0.02)
    assert not set(places % 100) & {0, *range(90, 100)}
    at = shown.reshape(-1)[places]
    assert np.mean(at == MASK_ID) == pytest.approx(0.8, abs=0.05)
    assert np.mean(at == 20) == pytest.approx(0.1, abs=0.05)
    untouched = np.ones(shown.size, bool)
    untouched[places] = False
    np.testing.assert_array_equal(shown.reshape(-1)[untouched], ids.reshape(-1)[untouched])


def test_something_is_hidden_even_in_one_word() -> None:
    ids = np.array([[2, 77, 3]], np.int32)
    _, places, hidden = hide(ids, np.ones_like(ids), 100, generator(1))
    assert (places.tolist(), hidden.tolist()) == ([1], [77])


def test_the_pruned_share_climbs_as_a_cubic_to_its_end() -> None:
    found = [pruned_share(step, 100, 0.8) for step in (0, 15, 30, 60, 100)]
    assert found == pytest.approx([0.0, 0.4625, 0.7, 0.8, 0.8])


def test_the_smallest_weights_are_pruned() -> None:
    weights = np.array([[0.5, -0.1], [0.2, -3.0]], np.float32)
    assert smallest(weights, 0.5).tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_rounding_gives_255_levels_and_passes_gradients() -> None:
    kernel = np.array([[-1.27, 0.0], [0.014, 2.54]], np.float32)
    rounded = ops.convert_to_numpy(rounded_weights(kernel))
    np.testing.assert_allclose(rounded, [[-1.27, 0.0], [0.01, 2.54]], atol=1e-6)
    inputs = ops.convert_to_numpy(rounded_inputs(np.array([[-1.0, 0.0061, 1.55]], np.float32)))
    np.testing.assert_allclose(inputs, [[-1.0, 0.01, 1.55]], atol=1e-5)


def test_an_encoder_aware_of_int8_learns_through_the_rounding(checkpoints: Checkpoints) -> None:
    recipe = Recipe(epochs=6, rate=5e-3, rows=8, tokens=256)
    prepare(0)
    encoder, head = build(CONFIG), TrainedHead(CONFIG.width, 2)
    ids, mask = np.arange(12, 28, dtype=np.int32)[None], np.ones((1, 16), np.int32)
    exact = ops.convert_to_numpy(encoder(ids, mask))
    names = list(weights_of(encoder))
    simulate(encoder)
    rough = ops.convert_to_numpy(encoder(ids, mask))
    assert 1e-4 < np.abs(exact - rough).max() < 0.05
    assert list(weights_of(encoder)) == names
    data = articles(96)
    train, validation = data.take(np.arange(80)), data.take(np.arange(80, 96))
    task = classification(encoder, head, train, validation, recipe, table=True)
    end = descend(task, recipe, checkpoints)
    assert end.history[-1]["loss"] < end.history[0]["loss"] / 5


def test_a_table_in_blocks_stays_while_the_rest_learns(checkpoints: Checkpoints) -> None:
    recipe = Recipe(epochs=6, rate=5e-3, rows=8, tokens=256)
    prepare(0)
    config = structs.replace(CONFIG, table_block=8)
    weights = weights_of(build(config))
    draw = generator(0)
    weights["tokens/quants"] = draw.integers(-8, 8, (50, 16)).astype(np.int8)
    weights["tokens/scales"] = np.full((50, 2), 0.02, np.float16)
    with computing_in("bf16"):
        encoder, head = build(config, weights), TrainedHead(config.width, 2)
    data = articles(96)
    train, validation = data.take(np.arange(80)), data.take(np.arange(80, 96))
    task = classification(encoder, head, train, validation, recipe, table=False)
    end = descend(task, recipe, checkpoints)
    assert end.history[-1]["loss"] < end.history[0]["loss"] / 5
    after = weights_of(encoder)
    assert {n for n in weights if np.array_equal(weights[n], after[n])} == {
        "tokens/quants",
        "tokens/scales",
    }


def test_a_shallow_encoder_has_every_other_block() -> None:
    weights = weights_of(build(CONFIG))
    config, shallow = every_other(CONFIG, weights)
    assert config.layers == 1
    np.testing.assert_array_equal(
        shallow["block_0/expand/kernel"], weights["block_0/expand/kernel"]
    )
    build(config, shallow)


def test_mixed_precision_is_left_to_the_processor(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("processor: 0\nflags\t\t: fpu avx512_bf16 sse2\n")
    (tmp_path / "old").write_text("processor: 0\nflags\t\t: fpu avx2 sse2\n")
    assert bfloat16_pays(tmp_path / "new")
    assert not bfloat16_pays(tmp_path / "old")
    assert not bfloat16_pays(tmp_path / "missing")
    with computing_in("bf16"):
        assert keras.mixed_precision.dtype_policy().name == "mixed_bfloat16"
    assert keras.mixed_precision.dtype_policy().name == "float32"


def test_a_mixed_encoder_keeps_float32_weights_and_answers_alike() -> None:
    prepare(0)
    exact = build(CONFIG)
    with computing_in("bf16"):
        mixed = build(CONFIG, weights_of(exact))
    assert {w.dtype for w in weights_of(mixed).values()} == {np.dtype("float32")}
    ids, mask = np.arange(12, 28, dtype=np.int32)[None], np.ones((1, 16), np.int32)
    rows = [ops.convert_to_numpy(encoder(ids, mask)) for encoder in (exact, mixed)]
    assert float((rows[0] * rows[1]).sum()) > 0.999
