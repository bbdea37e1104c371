"""Compare compressed encoders on Reuters R8: `python -m tests.bench.compression`.

Starts from `minilm-l6` and its head, and makes every other version by the product's own jobs: int8,
pruned, trained aware of int8, half as deep, distilled into `seed`. One table: bytes as served and
compressed, articles a second (timed in turn with the original's), accuracy, agreement with the
original. With --home a folder that is kept, in which what was made is not made again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from infra.settings import Settings
from ml.artifact import (
    ModelManifest,
    encoder_path,
    find_dataset,
    find_encoder,
    install,
    list_models,
    load_manifest,
    model_path,
)
from ml.compression import compare_speed
from ml.datasets import load_dataset
from ml.embedder import Embedder
from ml.embedding_store import embed_dataset
from ml.head import Head
from ml.jobs.compress import packed_bytes
from tests.bench.jobs import perform

SPEED_TEXTS = 256
MADE = "compression.json"  # in the home: by row, the model and what the gate said
ROWS: dict[str, dict[str, Any]] = {
    "int8": {"job": "quantize"},
    "distilled": {"job": "compress", "training": {"method": "distill"}},
    "half as deep": {"job": "compress", "training": {"method": "shallow"}},
    "half pruned": {"job": "compress", "training": {"method": "prune", "epochs": 2}},
    "pruned to a fifth": {
        "job": "compress",
        "training": {"method": "prune", "pruned": 0.8, "epochs": 3},
    },
    "aware of int8": {"job": "compress", "training": {"method": "aware", "epochs": 2}},
}


def make(home: Path, console: Console, rows: list[str]) -> dict[str, Any]:
    """Make the asked-for versions that are missing; returns what is known of all, by row."""
    file = home / MADE
    made: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    champion = list_models(home, "topic")[0].name
    for row in rows:
        if row not in made:
            console.print(f"making {row} ...")
            result = perform(
                home,
                classifier="topic",
                dataset="r8",
                encoder="minilm-l6",
                champion=champion,
                **ROWS[row],
            )
            made[row] = {key: result[key] for key in ("model", "deployable", "reasons")}
            file.write_text(json.dumps(made))
    return made


def measure(home: Path, made: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the table's rows, the original first."""
    _, rows = load_dataset(home, find_dataset(home, "r8").id)
    test = np.array([row.split == "test" for row in rows])
    texts = [row.text for row in rows]
    truth = np.array([row.label for row in rows])[test]
    sample = [text for text, chosen in zip(texts, test, strict=True) if chosen][:SPEED_TEXTS]
    original = Embedder(encoder_path(home, find_encoder(home, "minilm-l6").id))
    first = list_models(home, "topic")[0].name
    before: np.ndarray | None = None
    table = []
    for name, known in {"original": {"model": first}, **made}.items():
        path = model_path(home, known["model"])
        head, manifest = Head.load(path), load_manifest(path, ModelManifest)
        embedder = Embedder(encoder_path(home, manifest.encoder))
        vectors, _ = embed_dataset(home, find_dataset(home, "r8").id, embedder, texts)
        answers = np.array(manifest.labels)[head.scores(vectors[test]).argmax(axis=1)]
        before = answers if before is None else before
        ir = encoder_path(home, manifest.encoder) / "encoder.bin"
        table.append(
            {
                "version": name,
                "encoder": manifest.encoder,
                "bytes": ir.stat().st_size,
                "packed_bytes": packed_bytes(ir),
                **compare_speed(original, embedder, sample),
                "accuracy": float(np.mean(answers == truth)),
                "agreement": float(np.mean(answers == before)),
                "deployable": known.get("deployable", True),
                "reasons": known.get("reasons", []),
            }
        )
    return table


def show(console: Console, rows: list[dict[str, Any]]) -> None:
    """Print the table for people."""
    table = Table(
        *("version", "encoder", "MB", "gzip MB", "articles/s", "times as fast"),
        *("accuracy", "agreement", "gate"),
    )
    for row in rows:
        speedup = row["speedup"]
        table.add_row(
            row["version"],
            row["encoder"],
            f"{row['bytes'] / 1e6:.1f}",
            f"{row['packed_bytes'] / 1e6:.1f}",
            f"{row['articles_per_s']:.0f}",
            f"{speedup['median']:.2f} ({speedup['min']:.2f}-{speedup['max']:.2f})",
            f"{row['accuracy']:.2%}",
            f"{row['agreement']:.2%}",
            "passed" if row["deployable"] else "; ".join(row["reasons"]),
        )
    console.print(table)


def main() -> None:
    """Make, measure, print the table and a JSON line a row."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.compression", description=__doc__)
    parser.add_argument("--home", type=Path, help="a folder of artifacts that is kept")
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), help="default: all")
    asked = parser.parse_args()
    console = Console(width=150, highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        home = (asked.home or Path(folder)).resolve()
        install(Settings().assets, home)
        table = measure(home, make(home, console, asked.rows or list(ROWS)))
        show(console, table)
        for row in table:
            print(json.dumps(row))


if __name__ == "__main__":
    main()
