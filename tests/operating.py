"""An operator at the console, without a browser: logs in, looks at pages, sends their forms."""

from __future__ import annotations

import urllib.parse
import urllib.request
from html.parser import HTMLParser
from http.cookiejar import CookieJar

from infra.home import Home
from tests.running import Running

TIMEOUT_S = 20.0


class Operator:
    """One who is logged in as the console's first user."""

    def __init__(self, system: Running) -> None:
        self._address = str(system.state["console"])
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        self._opener = urllib.request.build_opener(cookies)
        login = Home(system.home).login()
        self.send("/login/", username=login.user, password=login.password)

    def look(self, path: str) -> str:
        """Return a page; raises HTTPError."""
        return self._open(path, None)

    def send(self, path: str, **fields: str) -> str:
        """Look at a page, send its form with these fields, and return the page that follows."""
        hidden = _Hidden()
        hidden.feed(self.look(path))
        return self._open(path, urllib.parse.urlencode({**hidden.fields, **fields}).encode())

    def _open(self, path: str, form: bytes | None) -> str:
        with self._opener.open(self._address + path, form, timeout=TIMEOUT_S) as answer:
            page: bytes = answer.read()
        return page.decode()


class _Hidden(HTMLParser):
    """The hidden fields of a page: the token, and what an operator confirms."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "input" and found.get("type") == "hidden":
            self.fields[found["name"] or ""] = found.get("value") or ""
