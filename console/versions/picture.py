"""A picture of a model version: the layers an article passes, their shapes and parameters.

Worked out from the manifests alone, so that the console needs no TensorFlow. B articles, T tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

from ml.artifact import EncoderManifest, ModelManifest

HEIGHT, GAP, TOP = 34, 12, 4  # of a box in the drawing
FULL_WIDTH = 300


@dataclass(frozen=True)
class Layer:
    """One step: what it does, the shape it gives, and its numbers.

    `times` is how often it stands there one after another; `parameters` are of one.
    """

    name: str
    what: str
    shape: str
    parameters: int
    times: int = 1

    @property
    def total(self) -> int:
        return self.parameters * self.times


@dataclass(frozen=True)
class Box:
    """A layer in the drawing; `width` grows with its share of the parameters."""

    layer: Layer
    y: int
    share: float
    last: bool

    @property
    def bar(self) -> float:
        return round(FULL_WIDTH * self.share, 1)

    @property
    def middle(self) -> int:
        return self.y + HEIGHT // 2

    @property
    def bottom(self) -> int:
        return self.y + HEIGHT

    @property
    def arrow(self) -> int:
        return self.bottom + GAP


@dataclass(frozen=True)
class Picture:
    """The drawing and the table below it."""

    boxes: list[Box]
    parameters: int
    height: int


def layers(encoder: EncoderManifest, model: ModelManifest) -> list[Layer]:
    """Return the layers in the order in which an article passes them."""
    get = {name: int(value) for name, value in encoder.config.items() if name != "epsilon"}
    width, wide = get["width"], get["feed_forward"]
    block = get.get("table_block", 0)
    table = get["vocabulary"] * width
    scales = get["vocabulary"] * (width // block) if block else 0
    norm = 2 * width
    labels = len(model.labels)
    return [
        Layer("tokenizer", f"at most {encoder.window} tokens of the text", "(B, T)", 0),
        Layer(
            "token table",
            f"{get['vocabulary']:,} tokens"
            + (f", int8 in blocks of {block} with a scale each" if block else ""),
            f"(B, T, {width})",
            table + scales,
        ),
        Layer(
            "positions, norm",
            f"{get['length']} positions are added",
            f"(B, T, {width})",
            get["length"] * width + norm,
        ),
        Layer(
            "self-attention, norm",
            f"{get['heads']} heads of {width // get['heads']}, every token to all real ones",
            f"(B, T, {width})",
            4 * (width * width + width) + norm,
            get["layers"],
        ),
        Layer(
            "feed-forward, norm",
            f"{width} to {wide}, GELU, back to {width}",
            f"(B, T, {width})",
            width * wide + wide + wide * width + width + norm,
            get["layers"],
        ),
        Layer("mean of the tokens", "scaled to length 1", f"(B, {width})", 0),
        Layer(
            "head",
            "one matrix, then probabilities"
            + (" of each label by itself" if model.kind == "multilabel" else " that sum to 1"),
            f"(B, {labels})",
            width * labels + labels,
        ),
    ]


def draw(encoder: EncoderManifest, model: ModelManifest) -> Picture:
    """Return the picture of a version on its encoder."""
    found = layers(encoder, model)
    most = max(layer.total for layer in found)
    boxes = [
        Box(layer, TOP + n * (HEIGHT + GAP), layer.total / most, last=n == len(found) - 1)
        for n, layer in enumerate(found)
    ]
    return Picture(boxes, sum(layer.total for layer in found), boxes[-1].bottom + TOP)
