"""What the arms reached over draws, and what follows of selection and of labels."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from postclick.experiments.ceiling.arms import ARMS
from postclick.experiments.ceiling.cost import Cost
from postclick.experiments.ceiling.sentences import labels_sentence, selection_sentence
from postclick.experiments.ceiling.train_arm import ArmFigures


@dataclass(frozen=True)
class Ceiling:
    """The same model on clicked rows, on random ones, and on all.

    Attributes:
        world: its name.
        settings: what its logs were drawn with, beside the seed.
        method: what was trained, by its name.
        seeds: of the draws, in order.
        figures: of every arm and draw.
    """

    world: str
    settings: Mapping[str, Any]
    method: str
    seeds: tuple[int, ...]
    figures: tuple[ArmFigures, ...]

    @property
    def arms(self) -> tuple[str, ...]:
        """What the model was trained on, in the order of the table."""
        return tuple(ARMS)

    def by_draw(self, arm: str) -> list[ArmFigures]:
        """The figures of an arm, in the order of the draws."""
        mine = {one.seed: one for one in self.figures if one.arm == arm}
        return [mine[seed] for seed in self.seeds]

    def mean(self, arm: str, figure: str) -> Cost:
        """A figure (`rows`, `conversions`, `auc`, `bias`) of an arm over draws."""
        return Cost.of([float(getattr(one, figure)) for one in self.by_draw(arm)])

    def difference(self, better: str, worse: str, figure: str = "auc") -> Cost:
        """How far one arm is above another, paired by draw."""
        pairs = zip(self.by_draw(better), self.by_draw(worse), strict=True)
        return Cost.of([getattr(a, figure) - getattr(b, figure) for a, b in pairs])

    @property
    def selection(self) -> Cost:
        """AUC that is lost because rows were clicked, at equal conversions."""
        return self.difference("random_conversions", "clicked")

    @property
    def level(self) -> Cost:
        """By how much more of the true mean, at equal conversions, clicked rows put pCVR wrong."""
        return self.difference("clicked", "random_conversions", "bias")

    @property
    def labels(self) -> Cost:
        """AUC that is lost because so few conversions are seen, and not all potential ones."""
        return self.difference("all", "random_conversions")

    @property
    def labels_beyond_selection(self) -> Cost:
        """What labels cost more than selection does."""
        pairs = zip(
            *(self.by_draw(arm) for arm in ("all", "random_conversions", "clicked")), strict=True
        )
        return Cost.of([(a.auc - b.auc) - (b.auc - c.auc) for a, b, c in pairs])

    @property
    def times(self) -> float:
        """How many times as many conversions as clicked rows all impressions have, on average."""
        counts = (self.mean(arm, "conversions").mean for arm in ("all", "clicked"))
        return next(counts) / next(counts)

    @property
    def sentences(self) -> tuple[str, str]:
        """What selection costs and what labels cost, in words that the figures allow."""
        return (
            selection_sentence(self.selection, self.level),
            labels_sentence(self.labels, self.labels_beyond_selection, self.times),
        )

    def as_dict(self) -> dict[str, Any]:
        """As `--json` prints it."""
        names = ("selection", "level", "labels", "labels_beyond_selection")
        return {
            "world": self.world,
            "settings": dict(self.settings),
            "method": self.method,
            "seeds": list(self.seeds),
            "sentences": list(self.sentences),
            "times": self.times,
            "costs": {name: asdict(getattr(self, name)) for name in names},
            "arms": {
                arm: {name: asdict(self.mean(arm, name)) for name in ("auc", "bias")}
                for arm in self.arms
            },
            "draws": [asdict(one) for one in self.figures],
        }
