"""The pages for what went wrong, none of which needs the database."""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string


def server_error(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - Django passes it
    """Answer 503 where the database is away, else 500.

    The stream does not depend on the database: an outage of it is one of the console only.
    """
    failure = sys.exc_info()[1]
    if isinstance(failure, OperationalError | InterfaceError):
        context = {
            "title": "The database does not answer",
            "text": "Articles are being classified all the same; this console shows them when "
            "its database is back. It tries again with every page.",
        }
        return HttpResponse(
            render_to_string("frame/error.html", context), status=503, headers={"Retry-After": "5"}
        )
    context = {
        "title": "This page failed",
        "text": "The reason is in the console's log (logs/console.log in the home folder).",
    }
    return HttpResponse(render_to_string("frame/error.html", context), status=500)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - both are passed
    """Answer 404."""
    context = {
        "title": "There is no such page",
        "text": "What it showed may have passed out of the retention time.",
    }
    return HttpResponse(render_to_string("frame/error.html", context), status=404)
