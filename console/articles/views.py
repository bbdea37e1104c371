"""The list of articles, and one article's whole history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from console.articles.fate import Fate, committed_offsets, fate
from console.articles.labels import classifiers_and_labels
from console.articles.search import Question, is_uri, search
from console.history import reading
from console.history.models import Article, DeadLetter, Kill, Result
from console.keyset import key_of

DECISIONS = ("accept", "review", "abstain", "corrected")
MESSAGES_SHOWN = 50


def articles(request: HttpRequest) -> HttpResponse:
    """Search; a whole uri leads to its article."""
    question = Question(
        text=request.GET.get("q", "").strip()[:300],
        classifier=request.GET.get("classifier", "")[:100],
        label=request.GET.get("label", "")[:200],
        decision=request.GET.get("decision", "")[:20],
        before=key_of(request, "before"),
    )
    if not question.by_answer and is_uri(question.text):
        return redirect(f"{reverse('article')}?{urlencode({'uri': question.text})}")
    found = search(question)
    committed = committed_offsets(reading.strip().lag)
    classifiers, labels = classifiers_and_labels()
    context: dict[str, Any] = {
        "question": question,
        "rows": [(row, fate(row.article, row.result, row.letter, committed)) for row in found.rows],
        "older": _address(request, before=found.older) if found.older is not None else None,
        "newest": _address(request, before=None) if question.before is not None else None,
        "classifiers": classifiers,
        "labels": labels,
        "decisions": DECISIONS,
        "asked": bool(question.text or question.by_answer),
    }
    return render(request, "articles/articles.html", context)


def _address(request: HttpRequest, before: int | None) -> str:
    kept = {k: v for k, v in request.GET.items() if k != "before" and v}
    return "?" + urlencode(kept | ({"before": before} if before is not None else {}))


@dataclass(frozen=True)
class Message:
    """One message of a uri with all that became of it."""

    article: Article
    result: Result | None
    letter: DeadLetter | None
    fate: Fate


def article(request: HttpRequest) -> HttpResponse:
    """Show everything known of one uri."""
    uri = request.GET.get("uri", "")
    newest_first = Article.objects.filter(uri=uri).order_by("-id")
    messages = list(newest_first[: MESSAGES_SHOWN + 1])
    letters = list(DeadLetter.objects.filter(uri=uri).order_by("-id")[:MESSAGES_SHOWN])
    kill = Kill.objects.filter(uri=uri).first()
    if not messages and not letters and kill is None:
        raise Http404("no message of this uri")
    results = {r.place: r for r in Result.objects.filter(uri=uri).order_by("-id")[:200]}
    letter_at = {letter.place: letter for letter in letters}
    committed = committed_offsets(reading.strip().lag)
    shown = [
        Message(
            a,
            results.get(a.place),
            letter_at.get(a.place),
            fate(a, results.get(a.place), letter_at.get(a.place), committed),
        )
        for a in messages[:MESSAGES_SHOWN]
    ]
    with_text = next((a for a in messages if a.title or a.body), None)
    context = {
        "uri": uri,
        "messages_of_uri": shown,
        "more": len(messages) > MESSAGES_SHOWN,
        "latest": with_text,
        "letters": letters,
        "kill": kill,
        "explained": next((m.result for m in shown if m.result and not m.result.stale), None),
    }
    return render(request, "articles/article.html", context)
