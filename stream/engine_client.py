"""The agents' side of the engine: texts out, vectors in; an engine that is away is waited for.

While the engine restarts the backlog stays in Kafka: the agent holds one batch and reads no more.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Sequence

import msgspec
import numpy as np

from ml.text import digest
from stream import engine_wire
from stream.embedding_cache import Embedding
from stream.engine_wire import Answer, Describe, Description, Embed, Refusal, Request, Vectors

log = logging.getLogger(__name__)

CONNECT_S = 2.0
ANSWER_S = 60.0  # a batch takes below a second, the first load of an encoder several
PAUSE_S = (0.05, 0.25)


class EngineRefused(RuntimeError):
    """The engine lives but cannot serve this encoder; waiting does not help."""


class PoisonousTexts(RuntimeError):
    """Texts that the engine dies on; `digests` names them."""

    def __init__(self, digests: set[str]) -> None:
        super().__init__(f"the engine dies on {len(digests)} texts: {', '.join(sorted(digests))}")
        self.digests = digests


class EngineClient:
    """One connection to the engine; for one thread at a time.

    With `standby` an encoder's int8 twin may answer while the encoder is away; descriptions and
    embeddings then say so.
    """

    def __init__(self, address: str, *, standby: bool = False) -> None:
        self._address = address
        self._standby = standby
        self._connection: socket.socket | None = None
        self._descriptions: dict[str, Description] = {}

    def describe(self, encoder: str) -> Description:
        """Return what `encoder` is, or its standby is, loaded and warm; raises EngineRefused."""
        known = self._descriptions.get(encoder)
        if known is not None:
            return known
        answer = self._ask(Describe(encoder, self._standby))
        if not isinstance(answer, Description):
            raise EngineRefused(f"{encoder}: unexpected answer {type(answer).__name__}")
        if answer.encoder == encoder:  # a standby is asked again: its encoder may be back
            self._descriptions[encoder] = answer
        return answer

    def embed(self, encoder: str, texts: Sequence[str]) -> list[Embedding]:
        """Return the embedding of each text, in their order.

        Raises EngineRefused, and PoisonousTexts where some of them cannot be had.
        """
        if not texts:
            return []
        answer = self._ask(Embed(encoder, list(texts), self._standby))
        if not isinstance(answer, Vectors):
            raise EngineRefused(f"{encoder}: unexpected answer {type(answer).__name__}")
        if answer.poisonous:
            raise PoisonousTexts({digest(texts[row]) for row in answer.poisonous})
        matrix = np.frombuffer(answer.vectors, np.float16).reshape(len(texts), -1)
        standby = None if answer.encoder == encoder else answer.encoder
        return [Embedding(v, cut, standby) for v, cut in zip(matrix, answer.truncated, strict=True)]

    def _ask(self, request: Request) -> Answer:
        pause = PAUSE_S[0]
        while True:
            try:
                answer = self._try(request)
            except (OSError, msgspec.DecodeError) as error:
                self.close()
                if pause == PAUSE_S[0]:  # once: four times a second would fill the log
                    log.warning("the engine does not answer, trying until it does: %s", error)
                time.sleep(pause)
                pause = min(2 * pause, PAUSE_S[1])
                continue
            if isinstance(answer, Refusal):
                raise EngineRefused(answer.reason)
            return answer

    def _try(self, request: Request) -> Answer:
        if self._connection is None:
            # A new engine may run another precision: ask it again before trusting its vectors.
            self._descriptions.clear()
            self._connection = engine_wire.connect(self._address, CONNECT_S)
            self._connection.settimeout(ANSWER_S)
        engine_wire.send(self._connection, request)
        answer = engine_wire.receive_answer(self._connection)
        if answer is None:
            raise ConnectionResetError("the engine closed the connection")
        return answer

    def close(self) -> None:
        """Drop the connection; the next call makes a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
