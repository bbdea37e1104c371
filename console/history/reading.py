"""What the pages ask of the projections more than once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, Sum
from django.utils import timezone

from console.history.models import (
    Article,
    DeadLetter,
    DeploymentRecord,
    LagReading,
    LedgerReading,
    Result,
    Tick,
)

RATE_TICKS = 2  # whole ones: the running one is not yet full
OLD = timedelta(seconds=60)  # a reading every 5 or 10 s: after a minute somebody is gone


@dataclass(frozen=True)
class Strip:
    """What stands on every page."""

    ledger: LedgerReading | None
    lag: LagReading | None

    @property
    def ledger_old(self) -> bool:
        """Tell whether the ledger has not been computed for a while."""
        return self.ledger is not None and timezone.now() - self.ledger.at > OLD


def strip() -> Strip:
    """Return the newest readings."""
    return Strip(
        LedgerReading.objects.order_by("-at").first(), LagReading.objects.order_by("-at").first()
    )


@dataclass(frozen=True)
class Rates:
    """Per second, over the last ten whole seconds; `hit_share` is None where nothing was read."""

    results: float
    misses: float
    hit_share: float | None


def rates(now: datetime | None = None) -> Rates:
    """Return what is happening, by the results' own time."""
    now = now or timezone.now()
    end = start_of_tick(now)
    seconds = RATE_TICKS * Tick.SECONDS
    found = Tick.objects.filter(at__gte=end - timedelta(seconds=seconds), at__lt=end).aggregate(
        results=Sum("results", default=0),
        hits=Sum("hits", default=0),
        misses=Sum("misses", default=0),
    )
    answered = found["hits"] + found["misses"]
    return Rates(
        results=found["results"] / seconds,
        misses=found["misses"] / seconds,
        hit_share=found["hits"] / answered if answered else None,
    )


def start_of_tick(moment: datetime) -> datetime:
    """Return the start of the tick that a moment lies in."""
    return moment.replace(second=moment.second - moment.second % Tick.SECONDS, microsecond=0)


def last_result_at() -> datetime | None:
    """Return when the newest result was made."""
    newest = Result.objects.order_by("-id").values_list("classified_at", flat=True)[:1]
    return next(iter(newest), None)


def dead_letters_since(moment: datetime) -> int:
    """Return how many dead letters were written since."""
    found = Tick.objects.filter(at__gte=moment).aggregate(n=Sum("dead_letters", default=0))
    return int(found["n"])


def champions() -> dict[str, DeploymentRecord]:
    """Return the record that runs of each classifier, those out of service included."""
    newest = (
        DeploymentRecord.objects.filter(effective=True)
        .values("classifier")
        .annotate(newest=Max("offset"))
        .values("newest")
    )
    found = DeploymentRecord.objects.filter(offset__in=newest).order_by("classifier")
    return {record.classifier: record for record in found}


def titles(places: list[int]) -> dict[int, str]:
    """Return the titles of the articles at these places."""
    return dict(Article.objects.filter(place__in=places).values_list("place", "title"))


def is_empty() -> bool:
    """Tell whether nothing has ever been read."""
    return not (Article.objects.exists() or Result.objects.exists() or DeadLetter.objects.exists())
