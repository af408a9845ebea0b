"""Which models are shown first, and in which colour each is drawn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from postclick.judging.predicted.result import JudgedLog, SegmentFigure

# So many models share a figure or a table; the others follow below.
TOGETHER = 3


@dataclass(frozen=True)
class View:
    """A judgement, and the order in which its models are shown."""

    judged: JudgedLog

    @property
    def reference(self) -> str:
        """The one to beat."""
        return self.judged.models[0]

    @property
    def ship(self) -> str:
        """The one that is advised, else the one to beat."""
        answer = self.judged.answer
        return self.reference if answer is None else answer.ship

    @property
    def order(self) -> tuple[str, ...]:
        """What is shipped, what it was to beat, then the others."""
        return tuple(dict.fromkeys((self.ship, self.reference, *self.judged.models)))

    def colour(self, model: str) -> int:
        """A number for each model, the same on the whole page."""
        return self.judged.models.index(model)

    def is_exposure(self, feature: str) -> bool:
        """Whether a feature is what PCOC by exposure is of."""
        return bool(self.judged.exposure) and feature == self.judged.roles.get("exposure")

    def chunks(self, models: Iterable[str]) -> list[tuple[str, ...]]:
        """Those of the models that are given, a few at a time."""
        there = set(models)
        shown = [name for name in self.order if name in there]
        return [tuple(shown[k : k + TOGETHER]) for k in range(0, len(shown), TOGETHER)]

    def segments(self, feature: str, quantity: str) -> dict[str, dict[str, SegmentFigure]]:
        """Figures by value of a feature and by model, in the order of the values."""
        found: dict[str, dict[str, SegmentFigure]] = {}
        for one in self.judged.segments:
            if (one.feature, one.quantity) == (feature, quantity):
                found.setdefault(one.value, {})[one.model] = one
        return found
