"""What each value of an exposure, such as a position, adds to logits of a click."""

from collections.abc import Callable, Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from postclick.mean_logit import mean_logit

# How far a step of Adam moves what is added, in learning rates. A logit of a tower moves with all
# its weights at once; a single number would be left behind, and the tower would learn for it
# whatever the features know of the exposure.
GAIN = 8.0


class ExposureEffect(nn.Module):
    """A number for each value and each head that predicts clicks, added to the head's logit.

    Nothing else of a network reads the exposure, so that no other head can. Numbers start at the
    values' own log-odds of a click in training. A value that training never saw adds the mean over
    those that it saw. Gradients of the tables are sparse, as an embedding's.

    Args:
        heads: names of the heads.
        shares: of the values among the impressions, by id, summing to 1.
        log_odds: where the numbers start, by id.
        at: the id at which predictions are made where the exposure is not known; None for the mean
            probability over `shares`.

    Attributes:
        recorded: whether the exposure that a row has is used; else all are as if it had none.

    >>> effect = ExposureEffect(["ctr"], [0.0, 0.5, 0.5], [0.0, 1.0, -1.0])
    >>> z = torch.zeros(2)
    >>> effect("ctr", z, torch.tensor([1, 2]))
    tensor([ 1., -1.], grad_fn=<AddBackward0>)
    >>> effect("ctr", z, None).detach()
    tensor([0., 0.])
    """

    def __init__(
        self,
        heads: Iterable[str],
        shares: Sequence[float],
        log_odds: Sequence[float],
        at: int | None = None,
    ) -> None:
        super().__init__()
        self.recorded, self.at = True, at
        start = torch.tensor(log_odds).unsqueeze(1) / GAIN
        self.tables = nn.ParameterDict({head: nn.Parameter(start.clone()) for head in heads})
        self._seen = [number for number, share in enumerate(shares) if share > 0]
        self.register_buffer("shares", torch.tensor(shares))

    @property
    def heads(self) -> tuple[str, ...]:
        return tuple(self.tables.keys())

    def forward(
        self,
        head: str,
        logit: Tensor,
        ids: Tensor | None,
        link: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """The head's logit with the exposure.

        Args:
            link: what the logit of a probability is of what exposures are added to, element by
                element; None where it is the same.

        Shape: logit [n], ids int64 [n], None where they are not known -> [n]
        """
        link = link or _same
        if ids is not None and self.recorded:
            return link(logit + self._added(head, ids))
        if self.at is not None:
            return link(logit + GAIN * self.tables[head][self.at, 0])
        return self._averaged(head, logit, link)

    def _added(self, head: str, ids: Tensor) -> Tensor:
        table = self.tables[head]
        added = F.embedding(ids, table, sparse=True).squeeze(1)
        if not self.training and 0 not in self._seen:
            mean = self.get_buffer("shares") @ table.squeeze(1)
            added = torch.where(ids == 0, mean, added)
        return GAIN * added

    def _averaged(self, head: str, logit: Tensor, link: Callable[[Tensor], Tensor]) -> Tensor:
        """Logit of the mean probability over the values, from ln of it and of its complement."""
        added = GAIN * self.tables[head][self._seen, 0]
        share = self.get_buffer("shares")[self._seen].log()
        each = link(logit.unsqueeze(1) + added)
        return mean_logit(each, share)


def _same(logit: Tensor) -> Tensor:
    return logit
