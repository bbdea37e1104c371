"""The console's pages, as an operator comes to them from the navigation."""

from __future__ import annotations

PAGES = (
    "/",
    "/live/",
    "/articles/",
    "/deadletters/",
    "/models/",
    "/datasets/",
    "/runs/",
    "/alerts/",
    "/cluster/",
)
