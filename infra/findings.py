"""What an examination finds: one thing looked at, how it stands, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """`ok` needs nothing, `warn` will run but may disappoint, `fail` keeps the system from starting."""

    level: Level
    check: str
    text: str
    advice: str = ""
