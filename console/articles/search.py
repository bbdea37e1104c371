"""The search: by uri, by words of the title, by answer. Pages are found by the last row's key."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from console.history.models import Answer, Article, DeadLetter, Result
from console.history.words import terms

PAGE = 50
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
        return _by_answer(question)
    articles = _with_text(Article.objects.all(), question.text)
    if question.before is not None:
        articles = articles.filter(id__lt=question.before)
    page = list(articles.order_by("-id").defer("body", "words")[: PAGE + 1])
    older = page[PAGE - 1].id if len(page) > PAGE else None
    return Found(_rows(page[:PAGE]), older)


def _by_answer(question: Question) -> Found:
    answers = Answer.objects.order_by("-id")
    for name in ("classifier", "label", "decision"):
        if value := getattr(question, name):
            answers = answers.filter(**{name: value})
    if question.before is not None:
        answers = answers.filter(id__lt=question.before)
    if question.text:
        places = _with_text(Article.objects.all(), question.text).values("place")
        answers = answers.filter(place__in=places)
    page = list(answers.values_list("id", "place")[: PAGE + 1])
    older = page[PAGE - 1][0] if len(page) > PAGE else None
    places_of_page = list(dict.fromkeys(place for _, place in page[:PAGE]))
    by_place = {
        a.place: a for a in Article.objects.filter(place__in=places_of_page).defer("body", "words")
    }
    return Found(_rows([by_place[p] for p in places_of_page if p in by_place]), older)


def _with_text(articles: QuerySet[Article], text: str) -> QuerySet[Article]:
    """Keep the articles with all words of `text` in the title, or whose uri starts with it."""
    if not text:
        return articles
    if _looks_like_uri(text):
        return articles.filter(uri__gte=text, uri__lt=text + FAR)
    sought = terms(text)
    if not sought:
        return articles.none()
    if connection.vendor == "sqlite":
        match = " ".join(f'"{term}"' for term in sought)  # words() leaves no quote in it
        rowids = RawSQL("SELECT rowid FROM history_words WHERE history_words MATCH %s", (match,))
        return articles.filter(id__in=rowids)
    phrases = " && ".join(["phraseto_tsquery('simple', %s)"] * len(sought))
    where = f"to_tsvector('simple', words) @@ ({phrases})"
    return articles.extra(where=[where], params=sought)  # noqa: S610 - the terms are parameters


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
