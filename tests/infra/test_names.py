"""The names that other people's programs rely on."""

from __future__ import annotations

from infra import names


def test_topics_have_their_documented_names_and_partitions() -> None:
    assert {topic.name: topic.partitions for topic in names.TOPICS} == {
        "wire.articles.v1": 8,
        "wire.classifications.v1": 8,
        "wire.deadletters.v1": 8,
        "wire.shadows.v1": 8,
        "wire.held.v1": 8,
        "wire.corrections.v1": 8,
        "wire.deployments.v1": 1,
        "wire.alerts.v1": 1,
    }


def test_what_is_the_truth_is_kept_for_ever() -> None:
    kept = {topic.name for topic in names.TOPICS if topic.retention_ms == names.FOR_EVER}
    assert kept == {"wire.deployments.v1", "wire.corrections.v1"}


def test_a_dead_letter_of_the_largest_article_fits() -> None:
    assert names.MAX_MESSAGE_OUT - names.MAX_MESSAGE_IN >= 1024 * 1024


def test_keys_of_two_environments_differ() -> None:
    assert names.ledger_key("", "a") == "wire:ledger:a"
    assert names.ledger_key("staging.", "a") == "wire:staging.ledger:a"
    assert names.heartbeat_key("", "host", "agent-1") == "wire:process:host:agent-1"
