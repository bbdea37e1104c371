"""The naive loop: `python -m tests.bench.peers.naive_loop BROKER IN OUT MODEL HEAD`.

One article after another: poll, Hugging Face's feature-extraction pipeline, the same head as ours,
produce. Reads `{"count": N}` and answers when the last of N results is delivered.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

os.environ["USE_TF"] = "0"  # transformers must not look for TensorFlow

import numpy as np
from confluent_kafka import Consumer, Producer
from transformers import pipeline

WINDOW = 256  # as the model's sentence_bert_config.json


def main(broker: str, inwards: str, outwards: str, model: str, head: str) -> None:
    """Serve orders until the end of standard input."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries print there
    extract = pipeline(
        "feature-extraction",
        model=model,
        device="cpu",
        tokenize_kwargs={"truncation": True, "max_length": WINDOW},
    )
    with np.load(head) as packed:
        weights, bias, labels = packed["weights"], packed["bias"], packed["labels"].tolist()
    extract("The first one compiles.", return_tensors=True)
    consumer = Consumer(
        {"bootstrap.servers": broker, "group.id": inwards, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([inwards])
    producer = Producer({"bootstrap.servers": broker})
    while not consumer.assignment():
        consumer.poll(0.1)
    _say(out, {"ready": True})
    for line in sys.stdin:
        left: int = json.loads(line)["count"]
        while left:
            message = consumer.poll(1.0)
            if message is None or message.error():
                continue
            article: dict[str, Any] = json.loads(message.value() or b"{}")
            states = extract(article["body"], return_tensors=True)[0]  # (T, D)
            row = states.mean(dim=0).numpy()
            row /= np.linalg.norm(row)
            logits = row @ weights + bias
            result = {"uri": article["uri"], "label": labels[int(logits.argmax())]}
            producer.produce(outwards, key=message.key(), value=json.dumps(result).encode())
            producer.poll(0)
            left -= 1
        producer.flush()
        _say(out, {"done": True})


def _say(out: Any, reply: dict[str, Any]) -> None:
    out.write(json.dumps(reply) + "\n")
    out.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
