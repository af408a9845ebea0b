"""What a method says of itself: its names and options, its heads, its loss and what it serves.

None of it needs a network: `Method` adds that.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from postclick.data.prepared import BaseRates
from postclick.errors import InputError
from postclick.losses import Terms, row_weights
from postclick.methods.contract import Contract
from postclick.methods.options import MethodConfig
from postclick.methods.outputs import Labels, Outputs
from postclick.methods.prediction import Prediction
from postclick.nn.backbones import Backbone


class Declaration(ABC):
    """The part of a method that is a function of options, head logits and labels alone.

    Class attributes:
        name: as given to `--method`.
        summary: one line.
        reference: authors, title, venue, year.
        expect: what a user should expect of it, with a warning where one is due.
        backbone: the paper's, used for `backbone="auto"`.
        same_as: the method that this one is if both have the same backbone.
        Config: the options.
        variants: named sets of options (ablations, other readings), `name/variant`.
        propensity_head: the head whose probability is the propensity in weights.
        shared_heads: heads that say the same of all impressions.
        rate_by_exposure: whether `given_click` differs by the exposure of a row.
        contract: what `postclick.testing.check_method` has to know of the method to check it.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str]
    expect: ClassVar[str]
    backbone: ClassVar[Backbone] = "share_bottom"
    same_as: ClassVar[str | None] = None
    Config: ClassVar[type[MethodConfig]]
    variants: ClassVar[dict[str, dict[str, Any]]] = {}
    propensity_head: ClassVar[str] = "ctr"
    shared_heads: ClassVar[tuple[str, ...]] = ()
    rate_by_exposure: ClassVar[bool] = False
    contract: ClassVar[Contract] = Contract()

    @classmethod
    def differs_on_clicks(cls, config: Any) -> bool:
        """Whether pCVR is meant to be another rate than that of conversions on clicks.

        Where it is, `calibrate` refuses to fit the one to the other.
        """
        return False

    @staticmethod
    def start(config: Any, rates: BaseRates) -> dict[str, float]:
        """The heads on the shared backbone, each with the probability where its output starts."""
        return {"ctr": rates.ctr, "cvr": rates.cvr}

    @classmethod
    def all_heads(cls, config: Any, rates: BaseRates) -> dict[str, float]:
        """Every head, auxiliary ones included, with the probability where its output starts."""
        return cls.start(config, rates)

    @staticmethod
    @abstractmethod
    def terms(config: Any, outputs: Outputs, labels: Labels) -> Terms:
        """The loss as named terms. A pure function of its arguments.

        Where a method trains in steps, its terms are those of the heads that `outputs` has.
        """

    @classmethod
    def extras(cls, config: Any) -> tuple[str, ...]:
        """What `terms` needs besides logits, as names in `Outputs.extra`."""
        return ()

    @classmethod
    def loss_on(
        cls,
        logits: Mapping[str, Tensor],
        click: Tensor,
        conversion: Tensor,
        *,
        extra: Mapping[str, Any] | None = None,
        weight: Tensor | None = None,
        **options: Any,
    ) -> Terms:
        """The paper's loss on the logits of any network, for a training loop of one's own.

        `postclick.losses.weighted_sum` of what it returns is what to minimise; methods that train
        in turns say so in their documentation, and their terms can be taken one by one.

        Args:
            logits: a tensor [n] for each head of the method.
            click, conversion: 0 or 1, [n], of any dtype; a conversion counts only with a click.
            extra: what the loss needs besides logits, see `extras`.
            weight: how many impressions each row stands for, [n], 0 or more; None: one each.
            options: the method's own, as after `--set`.

        Raises:
            InputError: a head or an extra is missing or of another shape, or an option is wrong.

        >>> import torch
        >>> from postclick.losses import weighted_sum
        >>> from postclick.methods import Escm2Ipw
        >>> z, click = torch.zeros(4), torch.tensor([1.0, 0.0, 1.0, 0.0])
        >>> terms = Escm2Ipw.loss_on({"ctr": z, "cvr": z}, click, torch.zeros(4), cvr_weight=0.5)
        >>> terms["cvr"].weight, terms["cvr"].space
        (0.5, 'clicked, weight 1/pi')
        >>> weighted_sum(terms)
        tensor(1.3274)
        """
        config = cls.Config.parse(cls.name, options)
        needed = tuple(cls.all_heads(config, BaseRates(0.1, 0.1)))
        given = {"logits": (needed, logits), "extra": (cls.extras(config), extra or {})}
        for what, (names, found) in given.items():
            missing = [name for name in names if name not in found]
            if missing:
                raise InputError(
                    f"method {cls.name}: {what} lacks {missing[0]!r}; with these options the loss "
                    f"needs {', '.join(names)}"
                )
        named = {**{head: logits[head] for head in needed}, "click": click}
        named |= {"conversion": conversion, **({} if weight is None else {"weight": weight})}
        for name, tensor in named.items():
            shape = tuple(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
            if shape != (len(click),):
                raise InputError(
                    f"method {cls.name}: {name} is {shape}, not a tensor ({len(click)},) as click: "
                    "give one value for each impression, e.g. logit.squeeze(1)"
                )
        dtype = logits[needed[0]].dtype
        labels = Labels(click.to(dtype), (click * conversion).to(dtype))
        with row_weights(None if weight is None else weight.to(dtype)):
            return cls.terms(config, Outputs(dict(logits), dict(extra or {})), labels)

    @classmethod
    def extra_epochs(cls, config: Any, epochs: int) -> int:
        """Epochs that `schedule` adds to `epochs`, at the most: how long a run is."""
        return 0

    @staticmethod
    def serve(config: Any, outputs: Outputs) -> Prediction:
        """From head logits to what is served: pCTR and pCVR of the main heads."""
        return Prediction(outputs.logits["ctr"], outputs.logits["cvr"])

    @staticmethod
    def soft_label(config: Any, outputs: Outputs) -> Tensor | None:
        """Logit [n] of the label that unclicked impressions are given; `None` if they get none."""
        return None
