"""Every Prometheus metric of the project, with its unit and meaning; defined here, set elsewhere."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

ARTICLES = Counter("wireroom_articles", "Articles read from the input topic", ["partition"])
OUTCOMES = Counter(
    "wireroom_outcomes", "What became of articles", ["outcome"]
)  # first revision deadletter kill duplicate held
DEGRADED = Counter("wireroom_degraded", "Results from an int8 standby, to be answered again")
EMBEDDINGS = Counter(
    "wireroom_embeddings", "Embeddings used, by where they came from", ["origin"]
)  # hit miss near
CACHE_ERRORS = Counter("wireroom_cache_errors", "Cache calls that failed, and junk found", ["kind"])
LAG = Gauge("wireroom_lag_articles", "Articles not yet committed", ["partition"])
RESULT_AGE = Gauge("wireroom_result_age_seconds", "Age of the last commit", ["partition"])
BATCH_SECONDS = Histogram(
    "wireroom_batch_seconds",
    "Time of one batch by stage",
    ["stage"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
ENGINE_TEXTS = Counter("wireroom_engine_texts", "Texts encoded")
ENGINE_TOKENS = Counter("wireroom_engine_tokens", "Tokens encoded, by real and padding", ["kind"])
ENGINE_QUEUE = Gauge("wireroom_engine_queue_texts", "Texts waiting in the engine")
ENGINE_SECONDS = Histogram(
    "wireroom_engine_seconds",
    "Time from a request's arrival in the engine to its answer",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
