"""How much an agent answers at once."""

from __future__ import annotations

from stream.portions import READ_BYTES, portions


def test_short_articles_are_one_portion() -> None:
    assert list(portions("abc", [100, 200, 300], most=600)) == ["abc"]


def test_more_work_than_a_portion_is_split_in_order() -> None:
    assert list(portions("abcde", [300, 300, 300, 300, 300], most=600)) == ["ab", "cd", "e"]


def test_an_article_larger_than_a_portion_stands_alone() -> None:
    assert list(portions("abc", [100, 1000, 100], most=600)) == ["a", "b", "c"]


def test_a_huge_article_weighs_no_more_than_what_is_read_of_it() -> None:
    assert list(portions("ab", [1_000_000, 1_000_000], most=2 * READ_BYTES)) == ["ab"]


def test_huge_articles_are_few_in_a_portion() -> None:
    sizes = [10_000_000, 6_000_000, 10_000_000]
    assert list(portions("abc", sizes, most=10 * READ_BYTES)) == ["ab", "c"]


def test_no_articles_are_no_portion() -> None:
    assert list(portions("", [], most=600)) == []
