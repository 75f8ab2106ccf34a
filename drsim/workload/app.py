"""What an application is: named parts, each a stream's entry with its share of the bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from drsim.workload.spelling import Spelled

Parts = dict[str, dict[str, Any]]


class App(Spelled, ABC):
    """An application: named parts, each a stream's entry with its ``share`` of the application's bytes."""

    @abstractmethod
    def parts(self) -> Parts:
        """Give the parts: ``share`` (of bytes, together 1), then keys of a stream."""

    @property
    def rate(self) -> float | None:
        """How much it writes if nobody says, bytes/s; None if it must be said."""
        return None
