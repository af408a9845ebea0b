"""The papers' losses on anybody's logits."""

import numpy as np
import pytest
import torch

from postclick.errors import InputError
from postclick.losses import weighted_sum
from postclick.methods import Esmm, Evi, IpsV2

Z, CLICK = torch.tensor([0.5, -1.0, 2.0]), torch.tensor([1, 0, 1])
CONVERSION = torch.tensor([1, 0, 0])


def test_labels_of_any_type_count_the_same() -> None:
    expected = weighted_sum(Esmm.loss_on({"ctr": Z, "cvr": Z}, CLICK.float(), CONVERSION.float()))
    for kind in (torch.bool, torch.int8, torch.int64, torch.float64):
        found = Esmm.loss_on({"ctr": Z, "cvr": Z}, CLICK.to(kind), CONVERSION.to(kind))
        assert torch.equal(weighted_sum(found), expected)
    noisy = Esmm.loss_on({"ctr": Z, "cvr": Z}, CLICK, torch.tensor([1, 1, 0]))
    assert torch.equal(weighted_sum(noisy), expected), "a conversion counts only with a click"


@pytest.mark.parametrize(
    ("logits", "click", "conversion", "message"),
    [
        ({"ctr": Z}, CLICK, CONVERSION, "logits lacks 'cvr'; .* needs ctr, cvr"),
        (
            {"ctr": Z, "cvr": Z[:, None]},
            CLICK,
            CONVERSION,
            r"cvr is \(3, 1\), not a tensor .*squeeze",
        ),
        ({"ctr": Z, "cvr": Z[:2]}, CLICK, CONVERSION, r"cvr is \(2,\), not a tensor \(3,\)"),
        ({"ctr": Z, "cvr": Z}, CLICK[:, None], CONVERSION, r"click is \(3, 1\)"),
        ({"ctr": Z, "cvr": Z}, CLICK, CONVERSION.numpy(), "conversion is ndarray"),
    ],
)
def test_other_shapes_are_refused(
    logits: dict[str, torch.Tensor], click: torch.Tensor, conversion: object, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Esmm.loss_on(logits, click, conversion)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_extras_are_asked_for() -> None:
    heads = {"ctr": Z, "cvr": Z, "teacher": Z}
    with pytest.raises(InputError, match="method evi: extra lacks 'vie'"):
        Evi.loss_on(heads, CLICK, CONVERSION)
    assert "vie" not in Evi.loss_on(heads, CLICK, CONVERSION, vie_weight=0.0)
    with pytest.raises(InputError, match="extra lacks 'features'"):
        IpsV2.loss_on(heads, CLICK, CONVERSION, phi="features")
    features = torch.from_numpy(np.ones((3, 2), np.float32))
    found = IpsV2.loss_on(heads, CLICK, CONVERSION, phi="features", extra={"features": features})
    assert found["balance"].value.isfinite()
