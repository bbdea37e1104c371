"""Near-duplicates: what counts as one story, and the same answer on every machine."""

from __future__ import annotations

from ml.near_duplicates import Pair, jaccard, near_duplicates, shingles

STORY = " ".join(f"word{n}" for n in range(40))


def test_case_punctuation_and_order_of_shingles_do_not_count() -> None:
    assert jaccard(shingles("Oil rises, again!"), shingles("OIL RISES AGAIN")) == 1.0
    assert jaccard(shingles("oil rises again"), shingles("again oil rises")) == 0.0


def test_similarity_is_the_share_of_common_runs_of_three_words() -> None:
    # a b c, b c d, c d e against a b c, b c d, c d f
    assert jaccard(shingles("a b c d e"), shingles("a b c d f")) == 0.5


def test_a_story_with_a_sentence_more_is_the_same_story() -> None:
    found = near_duplicates(
        [STORY, "something else altogether today", f"{STORY} and four more words", STORY.upper()]
    )

    assert found.leaders == [0, 1, 0, 0]
    assert found.pairs == [Pair(0, 2, 38 / 42), Pair(0, 3, 1.0), Pair(2, 3, 38 / 42)]
    assert found.groups() == [3]


def test_chinese_is_compared_by_its_characters() -> None:
    one = "美国大豆期货价格周三小幅收低因天气有利于作物生长"
    found = near_duplicates([one, f"{one}分析", "足球比赛昨晚在北京举行主队获胜"])

    assert found.leaders == [0, 0, 2]


def test_groups_that_a_later_text_joins_become_one() -> None:
    words = STORY.split()
    first, last = " ".join(words[:32]), " ".join(words[8:])
    assert near_duplicates([first, last]).leaders == [0, 1]

    assert near_duplicates([first, last, STORY]).leaders == [0, 0, 0]


def test_nothing_and_texts_without_words_are_no_trouble() -> None:
    assert near_duplicates([]).leaders == []
    assert near_duplicates(["!?", "Oil", "Gas"]).leaders == [0, 1, 2]


def test_thousands_of_machine_written_notices_are_one_group() -> None:
    notices = [f"{STORY} {n}" for n in range(2_000)]

    found = near_duplicates(notices)

    assert found.groups() == [2_000]
    assert len(found.pairs) < 51 * 2_000  # each is compared with the first fifty alone


def test_pairs_at_the_limit_are_hardly_missed() -> None:
    """At 0.8, 99.9 % of pairs share a band; of 200 at most two are missed."""
    texts = []
    for n in range(200):
        words = [f"w{n}x{k}" for k in range(60)]
        texts += [" ".join(words), " ".join(words[:53] + ["changed"] * 3 + words[53:])]
    leaders = near_duplicates(texts).leaders

    joined = sum(a == b for a, b in zip(leaders[::2], leaders[1::2], strict=True))
    assert joined >= 198
