"""The live page, and the stream behind it: server-sent events out of an async view."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from asgiref.sync import sync_to_async
from django.db import Error, close_old_connections, connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render

from console.live.feed import MOST_ROWS, News, newest_id, news
from console.live.shutdown import notice, stopping

POLL_S = 0.6
BACK_OFF_S = 3.0
SHOWN_AT_FIRST = 60


def live(request: HttpRequest) -> HttpResponse:
    """Show the page; its rows come by the stream."""
    return render(request, "live/live.html", {"most_rows": MOST_ROWS})


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    """Send new results as they are written, until the reader goes away or the console stops."""
    notice()
    asked = request.headers.get("Last-Event-ID", "")
    after = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 19 else None
    response = StreamingHttpResponse(_events(after), content_type="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"  # a proxy that collects would stop it
    return response


async def _events(after: int | None) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"
    while not stopping.is_set():
        try:
            if after is None:
                after = max(0, await sync_to_async(newest_id)() - SHOWN_AT_FIRST)
            found = await sync_to_async(_read)(after)
        except Error:
            yield 'event: trouble\ndata: "the database does not answer"\n\n'
            await asyncio.sleep(BACK_OFF_S)
            continue
        after = found.last_id
        body = json.dumps({"rows": found.rows, "figures": found.figures})
        yield f"id: {after}\ndata: {body}\n\n"
        await asyncio.sleep(POLL_S)


def _read(after: int) -> News:
    close_old_connections()  # what a request does at its start; this one never ends
    try:
        return news(after)
    except Error:
        connection.close()
        raise
