from __future__ import annotations

from django.apps import AppConfig


class FrameConfig(AppConfig):
    name = "console.frame"
    label = "frame"
