"""The dead letters: what could not be read, with its reason and its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from console.history.models import DeadLetter, partition_offset
from console.keyset import key_of

PAGE = 50
LINE = 16  # bytes in a line of the hexadecimal view
SHOWN_BYTES = 2_048


def deadletters(request: HttpRequest) -> HttpResponse:
    """List the newest first."""
    letters = DeadLetter.objects.order_by("-id").defer("key", "value", "headers")
    before = key_of(request, "before")
    if before is not None:
        letters = letters.filter(id__lt=before)
    page = list(letters[: PAGE + 1])
    context = {
        "letters": page[:PAGE],
        "older": "?" + urlencode({"before": page[PAGE - 1].id}) if len(page) > PAGE else None,
        "newest": before is not None,
    }
    return render(request, "articles/deadletters.html", context)


@dataclass(frozen=True)
class Dump:
    """Bytes for a person to look at: as text where they are text, and as numbers."""

    text: str | None
    lines: list[str]
    shown: int


def dump(octets: bytes) -> Dump:
    """Return the first bytes as they can safely be shown."""
    head = octets[:SHOWN_BYTES]
    lines = [_line(n, head[n : n + LINE]) for n in range(0, len(head), LINE)]
    return Dump(_text(head, whole=len(octets) <= SHOWN_BYTES), lines, len(head))


def _text(head: bytes, *, whole: bool) -> str | None:
    try:
        return head.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character cut in two by the end of the view is not a fault of the message.
        if not whole and error.start >= len(head) - 3:
            return head[: error.start].decode("utf-8")
        return None


def _line(start: int, octets: bytes) -> str:
    numbers = " ".join(f"{octet:02x}" for octet in octets)
    letters = "".join(chr(octet) if 32 <= octet < 127 else "·" for octet in octets)
    return f"{start:06x}  {numbers:<{3 * LINE - 1}}  {letters}"


def deadletter(request: HttpRequest, number: int) -> HttpResponse:
    """Show one dead letter."""
    letter = get_object_or_404(DeadLetter, id=number)
    value = None if letter.value is None else bytes(letter.value)
    context = {
        "letter": letter,
        "origin": partition_offset(letter.place) if letter.place is not None else None,
        "own": partition_offset(letter.letter_place),
        "key": dump(bytes(letter.key)),
        "value": None if value is None else dump(value),
    }
    return render(request, "articles/deadletter.html", context)
