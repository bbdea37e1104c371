"""How far near embeddings may be trusted: `python -m tests.bench.near [CORPUS.jsonl.gz ...]`.

Encodes both texts of many pairs and counts, by similarity and by how sure the head is of the
earlier text, how often the later one's own label is another. Reuters from the assets is always
among the corpora; give more as JSON lines with `title` and `body`. Judges nothing and never fails
on time: the figures stand in stream/near_bounds.py.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import beta

from infra import settings as settings_file
from ml.artifact import encoder_path, find_dataset, list_models, model_path
from ml.datasets import load_dataset
from ml.embedder import Embedder
from ml.head import Head
from stream import near
from stream.near_bounds import Bounds
from tests.bench import machine
from tests.bench.near_pairs import Pair, edited, found, read

SIMILARITIES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
CONFIDENCES = (0.0, 0.7, 0.8, 0.9, 0.95)
SURE = 0.95  # of the upper limits (Clopper and Pearson, 1934)


class Measured:
    """Pairs as arrays, an item a pair: similarity, confidence of the earlier text, other label."""

    def __init__(self, pairs: list[Pair], embedder: Embedder, head: Head, window: int) -> None:
        texts = list(dict.fromkeys(text for pair in pairs for text in pair[1:]))
        vectors, _ = embedder.embed(texts)
        scores = head.scores(vectors)
        place = {text: n for n, text in enumerate(texts)}
        signatures = [near.shingles(text, window) for text in texts]
        one = np.array([place[pair.earlier] for pair in pairs])
        other = np.array([place[pair.later] for pair in pairs])
        unit = vectors.astype(np.float64)
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        self.kinds = np.array([pair.kind for pair in pairs])
        self.similarity = np.array(
            [near.similarity(signatures[a], signatures[b]) for a, b in zip(one, other, strict=True)]
        )
        self.cosine = np.einsum("pd,pd->p", unit[one], unit[other])
        self.confidence = scores.max(axis=1)[one]
        self.differs = scores.argmax(axis=1)[one] != scores.argmax(axis=1)[other]

    def row(self, chosen: np.ndarray) -> list[str]:
        """Return pairs, other labels, their share and its upper limit, and cosines, as shown."""
        count, others = int(chosen.sum()), int(self.differs[chosen].sum())
        if not count:
            return ["0", "", "", "", "", ""]
        limit = beta.ppf(SURE, others + 1, count - others) if others < count else 1.0
        low, median = np.percentile(self.cosine[chosen], [1, 50])
        return [
            f"{count:,}",
            f"{others:,}",
            f"{others / count:.2%}",
            f"{limit:.2%}",
            f"{low:.3f}",
            f"{median:.3f}",
        ]


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.near", description=main.__doc__)
    parser.add_argument("corpora", nargs="*", type=Path)
    parser.add_argument("--articles", type=int, default=250, help="edited, of each corpus")
    arguments = parser.parse_args()
    assets = settings_file.load().assets
    model = list_models(assets, "topic")[-1]
    encoder = model.encoder
    bound = Bounds(assets)(encoder)
    if bound is None:
        print(
            f"{encoder} has no bound in stream/near_bounds.py to measure against", file=sys.stderr
        )
        return 1
    _, rows = load_dataset(assets, find_dataset(assets, "r52").id)
    corpora = {"reuters-52": list(dict.fromkeys(row.text for row in rows))}
    corpora |= {file.name.split(".")[0]: read(file) for file in arguments.corpora}
    pairs: list[Pair] = []
    for name, texts in corpora.items():
        pairs += found(texts, bound.window, name)
        pairs += edited(texts, arguments.articles)
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print(machine.describe())
    embedder = Embedder(encoder_path(assets, encoder))
    measured = Measured(pairs, embedder, Head.load(model_path(assets, model.name)), bound.window)
    console.print(
        f"{len(pairs):,} pairs; {encoder} ({embedder.runtime.name} {embedder.runtime.precision}), "
        f"{model.name}; a text's signature takes {_signature_us(corpora):.0f} us of CPU"
    )
    show(console, measured)
    allowed = (measured.similarity >= bound.similarity) & (measured.confidence >= bound.confidence)
    console.print(
        f"At the bound (similarity {bound.similarity}, confidence {bound.confidence}), by kind; "
        f"{allowed.sum() / (measured.similarity >= bound.similarity).sum():.0%} of what is as alike:"
    )
    table = Table("kind", *HEADINGS)
    for kind in dict.fromkeys(measured.kinds.tolist()):
        table.add_row(kind, *measured.row(allowed & (measured.kinds == kind)))
    table.add_row("all", *measured.row(allowed))
    console.print(table)
    return 0


HEADINGS = ("pairs", "other label", "share", f"at most ({SURE:.0%})", "cosine p1", "median")


def show(console: Console, measured: Measured) -> None:
    """Print a row for each least similarity and confidence."""
    table = Table("similarity", "confidence", *HEADINGS)
    for similarity in SIMILARITIES:
        for confidence in CONFIDENCES:
            chosen = (measured.similarity >= similarity) & (measured.confidence >= confidence)
            table.add_row(f"{similarity}", f"{confidence}", *measured.row(chosen))
        table.add_section()
    console.print(table)


def _signature_us(corpora: dict[str, list[str]]) -> float:
    texts = [text for several in corpora.values() for text in several[:200]]
    started = time.process_time()  # others may run beside us
    for text in texts:
        near.bands(near.shingles(text, 256))
    return 1e6 * (time.process_time() - started) / len(texts)


if __name__ == "__main__":
    sys.exit(main())
