"""A browser logs in to the running system and sees a result arrive, in a wide and a narrow window."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from infra.home import Home
from stream import publisher
from stream.publisher import Item
from tests.pages import PAGES
from tests.running import Running

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",  # the tests may run as root in a container
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ARRIVES_MS = 30_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


def _log_in(page: Page, system: Running) -> str:
    """Log in as the first user; return the console's address."""
    address = str(system.state["console"])
    login = Home(system.home).login()
    page.goto(f"{address}/live/")
    page.get_by_label("Name").fill(login.user)
    page.get_by_label("Password").fill(login.password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Live")).to_be_visible()
    return address


@pytest.mark.parametrize("width", [1400, 390])
def test_a_result_arrives_without_a_reload(system: Running, browser: Browser, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    troubles: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            troubles.append(f"{page.url}: {message.text}")

    page.on("console", listen)
    page.on("pageerror", lambda error: troubles.append(f"{page.url}: {error}"))
    address = _log_in(page, system)
    page.evaluate("window.sameDocument = true")

    name = uuid.uuid4().hex
    title = f"Wheat exports rise {name} <img src=x>"
    article = {"uri": f"urn:browser:{name}", "title": title, "body": "Grain", "language": "en"}
    publisher.publish(system.settings, [Item(article["uri"], json.dumps(article).encode())])

    row = page.locator("#rows tr", has_text=name)
    expect(row).to_be_visible(timeout=ARRIVES_MS)
    expect(row).to_contain_text("<img src=x>")  # as text
    expect(row).to_contain_text("%")
    assert page.evaluate("window.sameDocument")
    row.get_by_role("link").first.click()
    expect(page.get_by_text(article["uri"])).to_be_visible()
    expect(page.get_by_text("first result")).to_be_visible()

    for path in PAGES:
        page.goto(address + path)
        too_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not page.evaluate(too_wide), f"{path} scrolls sideways at {width} px"
    assert troubles == []
    page.close()
