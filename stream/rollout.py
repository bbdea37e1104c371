"""Encoders that a new deployment needs: loaded beside the work, so that no batch waits for them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection
from concurrent.futures import Future

from stream.engine_client import EngineClient, EngineRefused

KEEP_EVERY_S = 20.0
"""How often an encoder in use is asked for: well below the engine's `engine_idle_s`, after which
one that a quiet feed does not need would be unloaded."""

log = logging.getLogger(__name__)


class Rollout:
    """Has the engine load encoders, in threads and over connections of its own."""

    def __init__(self, address: str) -> None:
        """`address` is the engine's."""
        self._address = address
        self._loading: dict[str, Future[None]] = {}
        self._told: set[str] = set()
        self._keeping: threading.Thread | None = None
        self._kept_at = time.monotonic()

    def ready(self, encoder: str) -> bool:
        """Tell whether an encoder has been loaded; begins to load it where nobody has.

        Raises EngineRefused where it cannot be.
        """
        if encoder not in self._loading:
            loading = self._loading[encoder] = Future()
            threading.Thread(target=self._load, args=(encoder, loading), daemon=True).start()
        if not self._loading[encoder].done():
            return False
        self._told.add(encoder)
        self._loading[encoder].result()
        return True

    def has_news(self) -> bool:
        """Tell whether a load has ended that nobody has asked about since."""
        return any(f.done() and name not in self._told for name, f in self._loading.items())

    def begin(self, encoders: Collection[str]) -> None:
        """Forget what a deployment before wanted; `encoders` that still load go on loading."""
        self._told.clear()
        self._loading = {
            name: loading
            for name, loading in self._loading.items()
            if name in encoders and not loading.done()
        }

    def _load(self, encoder: str, loading: Future[None]) -> None:
        client = EngineClient(self._address)
        try:
            client.describe(encoder)
        except EngineRefused as error:
            loading.set_exception(error)
        else:
            loading.set_result(None)
        finally:
            client.close()

    def keep(self, encoders: Collection[str]) -> None:
        """Have the engine keep encoders loaded, now and then; returns at once."""
        if time.monotonic() - self._kept_at < KEEP_EVERY_S:
            return
        if self._keeping is not None and self._keeping.is_alive():
            return  # the engine is away
        self._kept_at = time.monotonic()
        self._keeping = threading.Thread(target=self._ask, args=(list(encoders),), daemon=True)
        self._keeping.start()

    def _ask(self, encoders: list[str]) -> None:
        client = EngineClient(self._address)
        for encoder in encoders:
            try:
                client.describe(encoder)
            except EngineRefused as error:
                log.warning("%s cannot be kept loaded: %s", encoder, error)
        client.close()
