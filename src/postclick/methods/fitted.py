"""`FittedMethod`: a method that fits itself to a log, where others descend a loss by batches."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from torch import Tensor

from postclick.data.folds import PartOfTraining
from postclick.data.manifest import Manifest
from postclick.data.prepared import InputSpec, PreparedLog
from postclick.extras import is_installed, require
from postclick.losses import Term, Terms, cross_entropy, ctr_loss, mean_clicked
from postclick.methods.base import C, Labels, Method, Outputs
from postclick.methods.explanation import AnyExplanation
from postclick.methods.members import Member
from postclick.progress import Reporter

Tensors = dict[str, Tensor]


class TrainedMember(Protocol):
    """The k-th of a method's `members_of`, trained on the whole training split or a part of it.

    Options given beside them, which the fit has found, take the place of the member's.
    """

    def __call__(
        self, number: int, part: PartOfTraining | None = None, **options: Any
    ) -> Method[Any]: ...


def _no_member(number: int, part: PartOfTraining | None = None, **options: Any) -> Method[Any]:
    raise LookupError(f"nothing here trains member {number}: fit the method with train")


@dataclass(frozen=True)
class Fitting:
    """What a method is given to fit itself with.

    Attributes:
        log: the prepared log; only its training split may be looked at, its validation split to
            stop or to choose by.
        stage: `stage(name, compute)` gives what `compute` gives, named tensors; where a run that
            was interrupted has them already, they are read instead.
        threads: how many to compute with.
        seed: of whatever is drawn.
        reporter: shows how far it is.
        member: `member(k)` is the k-th of the method's `members_of`, trained as a run of its own,
            `member(k, part)` the same trained on a part of the log; where a run that was
            interrupted has it already, it is read instead. Options given beside the number, which
            the fit has found, take the place of the member's.
    """

    log: PreparedLog
    stage: Callable[[str, Callable[[], Tensors]], Tensors]
    threads: int
    seed: int
    reporter: Reporter
    member: TrainedMember = _no_member


def pooled_inputs(inputs: InputSpec) -> InputSpec:
    """The same with lists pooled and vectors taken as they are, whatever a network makes of them.

    >>> pooled_inputs(InputSpec((3,), (4,), 0, bag_targets=(0,), vectors=((8, 2),))).vectors
    ((8, None),)
    """
    vectors = tuple((size, None) for size, _ in inputs.vectors)
    return replace(inputs, bag_targets=(), vectors=vectors)


class FittedMethod(Method[C]):
    """Base of methods that fit themselves. Everything else of a `Method` holds.

    The network is what serves: `forward`, `predict`, saving, export and judging are a method's
    own. `fit` sets its weights. What it maximises is the likelihood that `terms` states, with
    whatever priors or limits the method adds.

    Class attributes:
        reads_training: which settings of `training` have a say; others are refused.
        requires: what `fit` needs beyond the extra `train`, a module and the extra that installs
            it; None for nothing. What is fitted predicts without it.
    """

    reads_training: ClassVar[tuple[str, ...]] = ("threads", "eval_batch_size", "monitor", "device")
    requires: ClassVar[tuple[str, str] | None] = None

    @classmethod
    def can_fit(cls) -> bool:
        """Whether what `fit` needs is installed."""
        return cls.requires is None or is_installed(cls.requires[0])

    @classmethod
    def require_installed(cls) -> None:
        """Raise `InputError` where what `fit` needs is not installed."""
        if cls.requires is not None:
            require(*cls.requires, f"method {cls.name}")

    @classmethod
    def reads(cls, config: Any, section: str, key: str) -> bool:
        """Whether a setting, such as `training` and `lr`, has a say with these options."""
        return section == "options" or (section == "training" and key in cls.reads_training)

    @classmethod
    def members_of(cls, config: Any) -> Sequence[Member]:
        """Methods that have to be trained, each as a run of its own, to fit this one."""
        return ()

    @abstractmethod
    def fit(self, fitting: Fitting) -> None:
        """Set all weights, on the CPU; the same log and seed give the same weights."""

    def explain(self, manifest: Manifest) -> AnyExplanation | None:
        """What it has found, in numbers that people can read; None if it has none."""
        return None

    @staticmethod
    def terms(config: Any, outputs: Outputs, labels: Labels) -> Terms:
        """Clicks on all impressions, conversions on clicked ones."""
        click, conversion = labels
        loss = cross_entropy(outputs.logits["cvr"], conversion)
        return {
            "ctr": Term(ctr_loss(outputs.logits["ctr"], click), 1.0, "entire"),
            "cvr": Term(mean_clicked(loss, click), 1.0, "clicked"),
        }
