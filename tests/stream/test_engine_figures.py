"""What the console shows of the engine."""

from __future__ import annotations

from stream.engine_control import Report, Reports
from stream.engine_figures import LastMinute, Latencies, Totals


def test_percentiles_are_those_of_the_requests_seen() -> None:
    latencies = Latencies()
    assert latencies.percentiles_ms() == {}
    for n in range(101):
        latencies.add(n / 1000)
    assert latencies.percentiles_ms() == {"p50_ms": 50.0, "p95_ms": 95.0, "p99_ms": 99.0}


def test_a_request_of_long_ago_is_forgotten() -> None:
    latencies = Latencies(window_s=0.0)
    latencies.add(1.0)
    assert latencies.percentiles_ms() == {}


def test_totals_hold_what_ended_workers_did() -> None:
    totals = Totals()
    first = Report(encoded=5, batches=1, tokens=50)
    totals.add(Report(), first)
    totals.add(first, Report(encoded=8, batches=2, tokens=80))
    totals.add(Report(), Report(encoded=1, batches=1, tokens=4))
    assert (totals.encoded, totals.batches, totals.tokens) == (9, 3, 84)


def test_fill_and_padding_are_those_of_the_last_minute() -> None:
    minute = LastMinute()
    totals = Totals(encoded=1000, batches=10, tokens=10_000)
    minute.sample(totals)
    assert minute.figures(totals) == {}
    totals.add(Report(), Report(encoded=40, batches=2, tokens=900, padding_tokens=100))
    figures = minute.figures(totals)
    assert figures["texts_per_batch"] == 20.0
    assert figures["tokens_per_batch"] == 450.0
    assert figures["padding_share"] == 0.1


def test_reports_come_whole_however_they_are_cut() -> None:
    reports = Reports()
    assert reports.feed(b'{"ready":true}\n{"enco') == [Report(ready=True)]
    assert reports.feed(b'ded":3}\n') == [Report(encoded=3)]
