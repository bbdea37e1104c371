"""Why an article got its label: asked of a worker's explainer, shown when the answer is there.

The page asks every half second; no request of the console waits for the explainer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from console.history.models import Result, partition_offset
from stream import explanations
from stream.explanations import NotExplained, Question

SHADES = 5  # of the colour behind a word
WORDS_LISTED = 10
FULL_BAR = 0.05  # of confidence, at least: no full bar for what changes nothing
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Piece:
    """Some text and the shade behind it: `for-5` speaks most for the label, `against-1` a little."""

    text: str
    shade: str
    weight: str


@require_POST
def explain(request: HttpRequest) -> HttpResponse:
    """Ask about one classifier's answer, or about another label of it; shows that it is asked."""
    try:
        place = int(request.POST.get("place", ""))
    except ValueError:
        raise Http404("no such place") from None
    classifier = request.POST.get("classifier", "")
    result = Result.objects.filter(place=place).first()
    answers = result.subjects if result else []
    answer = next((a for a in answers if a["classifier"] == classifier and a["model"]), None)
    if answer is None:
        raise Http404("no answer of this classifier at this place")
    partition, offset = partition_offset(place)
    question = Question(
        model=answer["model"],
        partition=partition,
        offset=offset,
        label=request.POST.get("label", "")[:200] or None,
    )
    wireroom = settings.WIREROOM
    try:
        asked = explanations.ask(explanations.connect(wireroom), wireroom.topic_prefix, question)
    except redis.RedisError:
        return _failed(request, "The tasks server does not answer.")
    return render(request, "articles/explaining.html", {"question": asked})


@require_GET
def explanation(request: HttpRequest, question: str) -> HttpResponse:
    """Show an explanation, or that it is still awaited."""
    if not _ID.fullmatch(question):
        raise Http404("no question")
    wireroom = settings.WIREROOM
    try:
        answer = explanations.look(explanations.connect(wireroom), wireroom.topic_prefix, question)
    except redis.RedisError:
        return _failed(request, "The tasks server does not answer.")
    except NotExplained as error:
        return _failed(request, str(error))
    if answer is None:
        return render(request, "articles/explaining.html", {"question": question})
    return render(request, "articles/explanation.html", context_of(answer))


def context_of(answer: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of an explanation."""
    text: str = answer["text"]
    words = sorted(answer["words"], key=lambda word: -abs(word["weight"]))[:WORDS_LISTED]
    heaviest = abs(words[0]["weight"]) if words else 0.0
    most = max(FULL_BAR, *(abs(s["drop"]) for s in answer["sentences"]), 0.0)
    return {
        "answer": answer,
        "explained": answer["log_odds"] - answer["log_odds_baseline"],
        "pieces": pieces(text, answer["words"]),
        "attended": pieces(
            text,
            [{**w, "weight": w["attention"]} for w in answer["words"]],
            side_for="seen",
            digits=4,
        ),
        "heaviest": [
            {
                "text": text[w["start"] : w["end"]],
                "weight": f"{w['weight']:+.2f}",
                "share": abs(w["weight"]) / heaviest if heaviest else 0.0,
                "side": "for" if w["weight"] > 0 else "against",
            }
            for w in words
        ],
        "sentences": [
            {
                **s,
                "text": text[s["start"] : s["end"]],
                "points": f"{round(-100 * s['drop'], 1) or 0:+.1f}",
                "share": abs(s["drop"]) / most,
                "side": "for" if s["drop"] > 0 else "against",
            }
            for s in sorted(answer["sentences"], key=lambda s: (not s["flips"], -s["drop"]))
        ],
    }


def pieces(
    text: str, words: list[dict[str, Any]], side_for: str = "for", digits: int = 3
) -> list[Piece]:
    """Return the text in pieces, each word with its shade."""
    heaviest = max((abs(w["weight"]) for w in words), default=0.0)
    found, end = [], 0
    for word in words:
        found.append(Piece(text[end : word["start"]], "", ""))
        level = round(SHADES * abs(word["weight"]) / heaviest) if heaviest else 0
        side = side_for if word["weight"] > 0 else "against"
        shade = f"{side}-{level}" if level else ""
        weight = f"{word['weight']:+.{digits}f}"
        found.append(Piece(text[word["start"] : word["end"]], shade, weight))
        end = word["end"]
    found.append(Piece(text[end:], "beyond", ""))
    return [piece for piece in found if piece.text]


def _failed(request: HttpRequest, reason: str) -> HttpResponse:
    return render(request, "articles/unexplained.html", {"reason": reason})
