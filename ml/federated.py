"""Fitting one head over several sites that never send an article, an embedding or a label.

Every round each site sends one sum: loss and gradient over all its articles at the weights asked.
LBFGS over the summed gradients is the pooled fit, however skewed the sites' labels are; averaging
models that each site has fitted to its own labels (FedAvg, McMahan et al., 2017) would drift apart.
What a sum over few articles gives away, this does not hide: `ml.privacy` is for that.

Flower would carry these messages too, but its 1.42 asks for typer below 0.21, rich below 15 and
protobuf below 7, all older than what the rest of Wireroom runs on.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from scipy.optimize import minimize

from ml.federated_site import receive, send, table_of
from ml.training import ITERATIONS, STRENGTHS, Fit, TrainingError

STOP_S = 10.0  # for a site to end once nobody asks


class AnySite(Protocol):
    """What the coordinator asks of a site, here or elsewhere."""

    def known(self) -> tuple[int, dict[str, int]]: ...

    def agree(self, labels: Sequence[str]) -> None: ...

    def gradient(self, table: np.ndarray, *, all_rows: bool) -> tuple[float, np.ndarray]: ...

    def right(self, table: np.ndarray) -> tuple[int, int]: ...


class SiteProcess:
    """A site behind a command that speaks as `ml.federated_site` does; a context manager."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start the command."""
        self._command = list(command)
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> SiteProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):  # it is gone already
            self._process.stdin.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def known(self) -> tuple[int, dict[str, int]]:
        """Return the width of its embeddings, and how many articles it has of each label."""
        told = self._ask(ask="known")
        return told["width"], told["counts"]

    def agree(self, labels: Sequence[str]) -> None:
        """Tell the order of the labels of all sites together."""
        self._ask(ask="agree", labels=list(labels))

    def gradient(self, table: np.ndarray, *, all_rows: bool) -> tuple[float, np.ndarray]:
        """Return the summed cross-entropy and its gradient, both as of `Site.gradient`."""
        told = self._ask(
            ask="gradient", table=table.tobytes(), shape=table.shape, all_rows=all_rows
        )
        return told["loss"], table_of(told)

    def right(self, table: np.ndarray) -> tuple[int, int]:
        """Return how many validation articles a head gets right, and of how many."""
        told = self._ask(ask="right", table=table.tobytes(), shape=table.shape)
        return told["right"], told["of"]

    def _ask(self, **question: Any) -> dict[str, Any]:
        """Return the answer; raises TrainingError where the site is gone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            send(self._process.stdin, question)
            told = receive(self._process.stdout)
        except (OSError, ValueError) as error:
            raise TrainingError(f"site {' '.join(self._command)}: {error}") from error
        if told is None:
            raise TrainingError(f"site {' '.join(self._command)} ended while it was asked")
        return told


def fit_federated(sites: Sequence[AnySite]) -> Fit:
    """Fit a head over all sites' articles; the strength is chosen by their validation articles.

    Raises TrainingError. The temperature is left at 1: no site tells its logits.
    """
    with ThreadPoolExecutor(len(sites)) as pool:

        def each(ask: Callable[[AnySite], Any]) -> list[Any]:
            return list(pool.map(ask, sites))

        told = each(lambda site: site.known())
        widths = {width for width, _ in told}
        if len(widths) != 1:
            raise TrainingError(f"the sites' embeddings have different widths: {sorted(widths)}")
        labels = sorted({label for _, counts in told for label in counts})
        if len(labels) < 2:
            raise TrainingError(
                f"a classifier needs two labels at least; the sites have {labels or 'none'}"
            )
        each(lambda site: site.agree(labels))
        shape = widths.pop() + 1, len(labels)
        rounds = 0

        def fit(strength: float, start: np.ndarray, *, all_rows: bool) -> np.ndarray:
            def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
                nonlocal rounds
                rounds += 1
                table = flat.reshape(shape)
                answers = each(lambda site: site.gradient(table, all_rows=all_rows))
                decay = table.copy()
                decay[-1] = 0  # the bias is free
                value = sum(one for one, _ in answers) + 0.5 * (decay * table).sum() / strength
                gradient = np.sum([part for _, part in answers], axis=0) + decay / strength
                return float(value), gradient.ravel()

            options = {"maxiter": ITERATIONS}
            found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options=options)
            return np.asarray(found.x.reshape(shape))

        best, best_right, best_table, of = STRENGTHS[0], -1, np.zeros(shape), 0
        table = np.zeros(shape)
        for strength in STRENGTHS:
            table = fit(strength, table, all_rows=False)
            counted = each(lambda site, now=table: site.right(now))  # type: ignore[misc]  # a default binds the loop's value
            right, of = sum(r for r, _ in counted), sum(n for _, n in counted)
            if right > best_right:
                best, best_right, best_table = strength, right, table
        table = fit(best, best_table, all_rows=True)
    return Fit(
        labels=labels,
        weights=table[:-1].astype(np.float32),
        bias=table[-1].astype(np.float32),
        temperature=1.0,
        strength=best,
        validation_accuracy=best_right / of if of else 0.0,
        notes={"federated": {"sites": [counts for _, counts in told], "rounds": rounds}},
    )
