from __future__ import annotations

from ml.passages import Span, sentences, without, words


def _parts(text: str, title: int = 0) -> list[str]:
    return [text[span.start : span.end] for span in sentences(text, title)]


def test_an_abbreviation_or_a_decimal_point_ends_no_sentence() -> None:
    text = "The U.S. said it rose 5.3 pct. Mr. Smith of Acme Co. denied it. Really? Yes."

    assert _parts(text) == [
        "The U.S. said it rose 5.3 pct.",
        "Mr. Smith of Acme Co. denied it.",
        "Really?",
        "Yes.",
    ]


def test_a_title_is_a_sentence_of_its_own() -> None:
    assert _parts("Oil up Prices rose. All of them.", title=6) == [
        "Oil up",
        "Prices rose.",
        "All of them.",
    ]


def test_chinese_sentences_need_no_space_between_them() -> None:
    assert _parts("央行加息。油价上涨！股市下跌") == ["央行加息。", "油价上涨！", "股市下跌"]


def test_a_wire_without_full_stops_is_taken_in_pieces() -> None:
    parts = _parts(" ".join(f"w{n}" for n in range(50)))

    assert [len(part.split()) for part in parts] == [16, 17, 17]


def test_a_long_text_gives_a_bounded_number_of_pieces() -> None:
    text = "It rose. " * 200

    assert len(sentences(text.strip())) == 24


def test_a_text_without_a_sentence_keeps_one_space_between_the_others() -> None:
    assert without("One. Two. Three.", Span(5, 9)) == "One. Three."
    assert without("One. Two.", Span(0, 4)) == "Two."


def test_tokens_that_touch_are_one_word() -> None:
    text = "co-op's rose 5.3%, it said"
    tokens = [(0, 2), (2, 3), (3, 5), (5, 6), (6, 7), (8, 12), (13, 14), (14, 15), (15, 16)]
    tokens += [(16, 17), (17, 18), (19, 21), (22, 26)]

    found = words(text, [Span(*token) for token in tokens])

    assert [[text[slice(*tokens[n])] for n in word] for word in found] == [
        ["co", "-", "op", "'", "s"],
        ["rose"],
        ["5", ".", "3", "%", ","],
        ["it"],
        ["said"],
    ]


def test_each_chinese_token_is_a_word() -> None:
    tokens = [Span(0, 2), Span(2, 4), Span(4, 6)]

    assert words("中国石油价格", tokens) == [[0], [1], [2]]


def test_a_token_that_begins_with_its_space_starts_a_word() -> None:
    assert words("oil rose", [Span(0, 0), Span(0, 3), Span(3, 6), Span(6, 8)]) == [[1], [2, 3]]
