"""The search: by uri, by words of the title, by answer. Pages are found by the last row's key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from console.history.models import Answer, Article, DeadLetter, Result
from console.history.words import terms
from console.keyset import LARGEST

PAGE = 50
STRIDE = 500  # articles of one step of a walk
LONGEST_WALK = 10_000  # some 100 ms
FAR = "\U0010ffff"  # after every uri that starts the same


@dataclass(frozen=True)
class Question:
    """What an operator looks for; empty means any."""

    text: str = ""
    classifier: str = ""
    label: str = ""
    decision: str = ""
    before: int | None = None

    @property
    def by_answer(self) -> bool:
        return bool(self.classifier or self.label or self.decision)


@dataclass(frozen=True)
class Row:
    """One article of the list, with what became of it as far as it is known here."""

    article: Article
    result: Result | None
    letter: DeadLetter | None


@dataclass(frozen=True)
class Found:
    """A page of the list; `older` is the key of the next one, None on the last."""

    rows: list[Row] = field(default_factory=list)
    older: int | None = None


def is_uri(text: str) -> bool:
    """Tell whether somebody sent an article of exactly this uri."""
    return bool(text) and Article.objects.filter(uri=text).exists()


def search(question: Question) -> Found:
    """Return one page, newest first."""
    if question.by_answer:
        return _by_answer_and_text(question) if question.text else _by_answer(question)
    ids = _ids(question.text, question.before, PAGE + 1)
    return Found(_rows(_articles(id__in=ids[:PAGE])), ids[PAGE - 1] if len(ids) > PAGE else None)


def _by_answer(question: Question) -> Found:
    answers = _answers(question).order_by("-id")
    if question.before is not None:
        answers = answers.filter(id__lt=question.before)
    page = list(answers.values_list("id", "place")[: PAGE + 1])
    older = page[PAGE - 1][0] if len(page) > PAGE else None
    return Found(_rows(_articles(place__in={place for _, place in page[:PAGE]})), older)


def _by_answer_and_text(question: Question) -> Found:
    """Walk the articles with the text, newest first, until a page of them has the answer.

    A common word and a rare answer may need a long walk: it ends after LONGEST_WALK articles, and
    the next page goes on from there.
    """
    found: list[Article] = []
    before = question.before
    for _ in range(LONGEST_WALK // STRIDE):
        ids = _ids(question.text, before, STRIDE)
        articles = _articles(id__in=ids)
        places = _answers(question).filter(place__in=[a.place for a in articles])
        answered = set(places.values_list("place", flat=True))
        found += [article for article in articles if article.place in answered]
        if len(found) > PAGE:
            return Found(_rows(found[:PAGE]), found[PAGE - 1].id)
        if len(ids) < STRIDE:
            return Found(_rows(found), None)
        before = ids[-1]
    return Found(_rows(found), before)


def _answers(question: Question) -> QuerySet[Answer]:
    wanted = {name: getattr(question, name) for name in ("classifier", "label", "decision")}
    return Answer.objects.filter(**{name: value for name, value in wanted.items() if value})


def _articles(**where: Any) -> list[Article]:
    return list(Article.objects.filter(**where).order_by("-id").defer("body", "words"))


def _ids(text: str, before: int | None, most: int) -> list[int]:
    """Return the ids of articles with all words of `text` in the title, or whose uri starts so."""
    articles = Article.objects.order_by("-id")
    if before is not None:
        articles = articles.filter(id__lt=before)
    if text and _looks_like_uri(text):
        articles = articles.filter(uri__gte=text, uri__lt=text + FAR)
    elif text:
        sought = terms(text)
        if not sought:
            return []
        if connection.vendor == "sqlite":
            return _ids_of_fts5(sought, before, most)
        phrases = " && ".join(["phraseto_tsquery('simple', %s)"] * len(sought))
        where = f"to_tsvector('simple', words) @@ ({phrases})"
        articles = articles.extra(where=[where], params=sought)  # noqa: S610 - parameters only
    return list(articles.values_list("id", flat=True)[:most])


def _ids_of_fts5(sought: list[str], before: int | None, most: int) -> list[int]:
    match = " ".join(f'"{term}"' for term in sought)  # words() leaves no quote in it
    statement = (
        "SELECT rowid FROM history_words WHERE history_words MATCH %s AND rowid < %s "
        "ORDER BY rowid DESC LIMIT %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, (match, LARGEST if before is None else before, most))
        return [int(rowid) for (rowid,) in cursor.fetchall()]


def _looks_like_uri(text: str) -> bool:
    return " " not in text and (":" in text or "/" in text)


def _rows(articles: list[Article]) -> list[Row]:
    places = [article.place for article in articles]
    results = {r.place: r for r in Result.objects.filter(place__in=places)}
    letters = {
        letter.place: letter
        for letter in DeadLetter.objects.filter(place__in=places).defer("key", "value", "headers")
    }
    return [Row(a, results.get(a.place), letters.get(a.place)) for a in articles]
