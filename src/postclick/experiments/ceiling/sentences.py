"""What the figures say, in two sentences, and no more than they say."""

from postclick.experiments.ceiling.cost import Cost
from postclick.spelling import counted

_MORE = "no interval from one draw, so nothing is said of chance"


def selection_sentence(selection: Cost, level: Cost) -> str:
    """What selection costs: `selection` in AUC, `level` in bias, both at equal conversions.

    >>> cost = Cost(3, 0.0017, 0.0002, 0.0008, 0.0026)
    >>> selection_sentence(cost, Cost(3, 0.31, 0.02, 0.22, 0.4))
    'Selection costs .0017 ± .0002 AUC at equal conversions, and moves the level of pCVR by +31 %.'
    >>> selection_sentence(Cost(3, 0.0017, 0.001, -0.003, 0.006), Cost(3, 0.01, 0.02, -0.1, 0.1))
    'Selection costs no AUC at equal conversions that 3 draws show (.0017, 95 % interval -.0030 to \
.0060), nor do they show that it moves the level of pCVR (+1 %).'
    """
    if selection.low is None:
        moved = f"moves the level of pCVR by {percent(level.mean)}"
        costs = f"Selection costs {decimal(selection.mean)} AUC at equal conversions"
        return f"{costs} and {moved} ({_MORE})."
    if selection.sign > 0:
        costs = f"Selection costs {told(selection)} AUC at equal conversions"
    elif selection.sign < 0:
        costs = f"Selection gains {told(selection, -1)} AUC at equal conversions"
    else:
        costs = f"Selection costs no AUC at equal conversions that {_shown(selection)}"
    if level.sign:
        return f"{costs}, and moves the level of pCVR by {percent(level.mean)}."
    return (
        f"{costs}, nor do they show that it moves the level of pCVR ({percent(level.mean)})."
        if not selection.sign
        else f"{costs}; that it moves the level of pCVR ({percent(level.mean)}) is not shown."
    )


def labels_sentence(labels: Cost, beyond: Cost, times: float) -> str:
    """What labels cost.

    Args:
        labels: in AUC.
        beyond: by how much more than selection, paired by draw.
        times: how many times as many conversions all impressions have.

    >>> cost = Cost(3, 0.0143, 0.001, 0.01, 0.0186)
    >>> labels_sentence(cost, cost, 4.88)
    'Labels cost .0143 ± .0010 AUC: 4.9 times as many conversions would buy more of it than any \
loss that undoes selection.'
    """
    if labels.low is None:
        return f"Labels cost {decimal(labels.mean)} AUC ({_MORE})."
    if labels.sign < 0:
        return (
            f"Labels cost nothing: learnt from all impressions, the model ranks {told(labels, -1)} "
            "AUC worse, so it is its training that is to be looked at."
        )
    if not labels.sign:
        return f"Labels cost no AUC that {_shown(labels)}: they do not say what more would buy."
    costs = f"Labels cost {told(labels)} AUC"
    if beyond.sign > 0:
        more = f"{times:.1f} times as many conversions would buy more of it"
        return f"{costs}: {more} than any loss that undoes selection."
    if beyond.sign < 0:
        return f"{costs}, less than selection: a loss that undoes selection would buy more."
    return f"{costs}; whether that is more than selection costs, the draws do not say."


def _shown(cost: Cost) -> str:
    ends = (decimal(end) for end in (cost.low, cost.high) if end is not None)
    interval = f"95 % interval {' to '.join(ends)}"
    return f"{counted(cost.draws, 'draw')} show ({decimal(cost.mean)}, {interval})"


def told(cost: Cost, sign: int = 1) -> str:
    """The mean and its standard error.

    >>> told(Cost(1, 0.7475)), told(Cost(3, -0.0021, 0.0003, -0.003, -0.001), -1)
    ('.7475', '.0021 ± .0003')
    """
    mean = decimal(sign * cost.mean)
    return mean if cost.standard_error is None else f"{mean} ± {decimal(cost.standard_error)}"


def decimal(value: float) -> str:
    """Four decimals, without the 0 before the point.

    >>> decimal(0.01234), decimal(-0.5), decimal(1.0)
    ('.0123', '-.5000', '1.0000')
    """
    text = f"{value:.4f}"
    return text.replace("0.", ".", 1) if abs(float(text)) < 1 else text


def percent(value: float) -> str:
    """Whole per cent with a sign.

    >>> percent(0.316), percent(-0.001)
    ('+32 %', '0 %')
    """
    whole = round(100 * value)
    return f"{whole:+d} %" if whole else "0 %"
