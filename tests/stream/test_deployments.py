"""Deployments on the real control topic: one champion, whoever presses the button, and when."""

from __future__ import annotations

import pytest

from infra import names
from infra.settings import Settings
from stream import deployments, kafka
from stream.deployments import StaleDeployment, Watch
from tests.running import wait_until


def deploy(settings: Settings, champion: str | None, based_on: int | None, by: str = "ann") -> int:
    return deployments.publish(settings, "topic", champion, by=by, based_on=based_on)


def test_deploying_and_rolling_back_are_records_each_based_on_the_last(isolated: Settings) -> None:
    first = deploy(isolated, "topic@1+aaaa", None)
    second = deploy(isolated, "topic@2+bbbb", first)
    third = deploy(isolated, "topic@1+aaaa", second)
    control = deployments.read(isolated)
    assert control.champions == {"topic": "topic@1+aaaa"}
    assert [
        (record.offset, record.deployment.champion, record.deployment.based_on, record.effective)
        for record in control.records
    ] == [
        (first, "topic@1+aaaa", None, True),
        (second, "topic@2+bbbb", first, True),
        (third, "topic@1+aaaa", second, True),
    ]


def test_of_two_operators_the_second_is_refused_and_told_of_the_first(isolated: Settings) -> None:
    seen = deploy(isolated, "topic@1+aaaa", None)
    deploy(isolated, "topic@2+bbbb", seen, by="ann")
    with pytest.raises(StaleDeployment, match=r"changed by ann at .* to topic@2\+bbbb"):
        deploy(isolated, "topic@3+cccc", seen, by="bob")
    control = deployments.read(isolated)
    assert control.champions == {"topic": "topic@2+bbbb"}
    assert [record.effective for record in control.records] == [True, True, False]


def test_a_second_first_deployment_is_stale(isolated: Settings) -> None:
    deploy(isolated, "topic@1+aaaa", None)
    with pytest.raises(StaleDeployment):
        deploy(isolated, "topic@2+bbbb", None)


def test_classifiers_do_not_hinder_each_other_and_one_can_be_taken_out(isolated: Settings) -> None:
    first = deploy(isolated, "topic@1+aaaa", None)
    deployments.publish(isolated, "desk", "desk@1+dddd", by="ann", based_on=None)
    deploy(isolated, None, first)
    control = deployments.read(isolated)
    assert control.champions == {"desk": "desk@1+dddd"}
    assert sorted(control.current) == ["desk", "topic"]


def test_a_record_that_nobody_can_read_changes_nothing(isolated: Settings) -> None:
    first = deploy(isolated, "topic@1+aaaa", None)
    producer = kafka.producer(isolated)
    for junk in (b"\xff", b"{}", None):
        producer.produce(isolated.topic(names.DEPLOYMENTS.name), junk, b"topic")
    assert producer.flush(20) == 0
    deploy(isolated, "topic@2+bbbb", first)
    assert deployments.read(isolated).champions == {"topic": "topic@2+bbbb"}


def test_a_watch_knows_everything_at_once_and_then_what_changes(isolated: Settings) -> None:
    first = deploy(isolated, "topic@1+aaaa", None)
    watch = Watch(isolated)
    try:
        assert watch.poll() is True
        assert watch.control.champions == {"topic": "topic@1+aaaa"}
        assert watch.poll() is False
        deploy(isolated, "topic@2+bbbb", first)
        wait_until(watch.poll, 10, "the change")
        assert watch.control.champions == {"topic": "topic@2+bbbb"}
        with pytest.raises(StaleDeployment):
            deploy(isolated, "topic@3+cccc", first)
        wait_until(lambda: watch.poll() or len(watch.control.records) == 3, 10, "the stale record")
        assert watch.control.champions == {"topic": "topic@2+bbbb"}
    finally:
        watch.close()
