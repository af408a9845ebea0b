"""What stands below the answer: who leads, by how much, how sure that is, and calibration."""

from postclick.experiments.comparison.recommendation import MEANT, Recommendation, off
from postclick.reporting.folder import Part
from postclick.reporting.ranking import Ranking, Rival, rank

RECORDED, TRUTH = ("cvr_auc", "clicked"), ("true_cvr_nll", "entire")
SHORT = {"cvr_auc": "CVR-AUC", "true_cvr_nll": "NLL"}
# What a reader compares a new method with.
REFERENCES = ("esmm", "naive")
NAMED_AT_MOST = 5
TEST = "paired t-tests over {seeds} seeds (Holm-corrected, 5 % level)"


def answer(part: Part, split: str, truth: str | None) -> tuple[str, str, str]:
    """Who leads by CVR-AUC on clicked rows (and against `truth`), by how much, how sure.

    Args:
        truth: the column that stands for the true CVR, or `None`.
    """
    recorded = rank(part.summary, part.results, *RECORDED)
    true = rank(part.summary, part.results, *TRUTH) if truth else None
    rankings = [ranking for ranking in (recorded, true) if ranking is not None]
    against = "known true CVR" if truth == "true_cvr" else "known potential conversions"
    measures = {
        "cvr_auc": f"CVR-AUC on clicked {split} impressions",
        "true_cvr_nll": f"NLL against the {against} of all {split} impressions",
    }
    if recorded is None:
        row = part.summary.row(*RECORDED)
        reasons = {cell.undefined or "" for cell in row.by_method.values()} if row else set()
        why = f" ({'; '.join(sorted(reasons))})" if reasons else ""
        who = f"{measures['cvr_auc']} is undefined{why}, so no method leads on recorded labels"
    else:
        who = _who(recorded, measures["cvr_auc"], part.summary.seeds)
    if true is not None:
        who += _who_in_truth(true, recorded, measures["true_cvr_nll"])
    by = "; ".join(_by_how_much(ranking, part) for ranking in rankings if ranking.rivals)
    return (
        _sentence(who),
        _sentence(by or _no_lead(part)),
        _sentence(_how_sure(rankings, part)),
    )


def both_tests(found: Recommendation) -> str:
    """Which methods are better than the simplest in both tests, and why one of them is named."""
    tests = "in both tests, over seeds and over test rows (each Holm-corrected, 5 % level)"
    if not found.better:
        return f"No other method is better in CVR-AUC than {found.simplest} {tests}."
    verb = "is" if len(found.better) == 1 else "are"
    told = f"{_named(list(found.better))} {verb} better in CVR-AUC than {found.simplest} {tests}"
    if len(found.better) > 1:
        told += f"; of these {found.ship} has the best mean"
    return f"{told}."


def calibration(found: Recommendation) -> str:
    """Whether the pCVR of the method to ship is right on average, and what to do if not."""
    if found.pcoc is None:
        return f"Whether the pCVR of {found.ship} is right on average, these rows cannot tell."
    ends = "{value:.2f} ({low:.2f} to {high:.2f})".format(**found.pcoc)
    told = f"PCOC of {found.ship} on clicked impressions is {ends}"
    if found.pcoc["low"] <= 1 <= found.pcoc["high"]:
        return f"{told}: nothing to correct that these rows could show."
    if found.calibrate is None:
        return f"{told}: {MEANT}."
    return f"{told}: pCVR is {off(found.pcoc['value'])}. Calibrate it: {found.calibrate}"


def other_protocol(main: Part, other: Part) -> str:
    """Whether the other table has the same leader; empty where there is none."""
    here, there = (rank(part.summary, part.results, *RECORDED) for part in (main, other))
    if here is None or there is None or not there.rivals:
        return ""
    who = "also leads" if here.best == there.best else "leads instead"
    tests = "both tests support" if there.supported else "the tests do not both support"
    return (
        f"These sentences are about the table “{main.title}”. In the table “{other.title}” "
        f"{there.best} {who} by CVR-AUC, with {_figure(there)}; {tests} that lead."
    )


def _no_lead(part: Part) -> str:
    alone = len(part.summary.methods) == 1
    return "there is no other method to compare with" if alone else "no lead can be measured"


def _who(ranking: Ranking, measure: str, seeds: int) -> str:
    spread = f"mean ± standard deviation over {seeds} seeds" if seeds > 1 else "one seed"
    figure = f"{_figure(ranking)} ({spread})"
    if not ranking.rivals and not ranking.undefined:
        return f"only {ranking.best} was trained: its {measure} is {figure}"
    left_out = f" (undefined for {_named(ranking.undefined)})" if ranking.undefined else ""
    return f"the best mean {measure}{left_out} is that of {ranking.best}, {figure}"


def _who_in_truth(true: Ranking, recorded: Ranking | None, measure: str) -> str:
    if not true.rivals:
        return f", and its {measure} is {_figure(true)}"
    if recorded is not None and recorded.best == true.best:
        return f"; it also has the best mean {measure}, {_figure(true)}"
    return f"; but the best mean {measure} is that of {true.best}, {_figure(true)}"


def _figure(ranking: Ranking) -> str:
    spread = "" if ranking.cell.sd is None else f" ± {ranking.cell.sd:.4f}"
    return f"{ranking.cell.mean:.4f}{spread}"


def _by_how_much(ranking: Ranking, part: Part) -> str:
    """The lead over the runner-up, and over the references where they are others."""
    runner_up, *others = ranking.rivals
    told = [f"over the runner-up {runner_up.method} is {_lead(ranking, runner_up, part)}"]
    if ranking.metric == RECORDED[0]:
        told += [
            f"over {rival.method} {_lead(ranking, rival, part)}"
            for rival in others
            if rival.method in REFERENCES
        ]
    return f"the lead of {ranking.best} in {SHORT[ranking.metric]} {', '.join(told)}"


def _lead(ranking: Ranking, rival: Rival, part: Part) -> str:
    text = f"{abs(rival.difference):.4f}"
    interval = _interval(ranking, rival, part)
    if interval is None:
        return text
    level = f"{100 * part.differences['level']:.0f} %"
    low, high = (signed(end) for end in interval)
    return f"{text} ({level} interval over test impressions: {low} to {high})"


def _interval(ranking: Ranking, rival: Rival, part: Part) -> tuple[float, float] | None:
    """The DeLong interval of the lead in CVR-AUC."""
    differences = part.differences
    if ranking.metric != RECORDED[0] or differences["best"] != ranking.best:
        return None
    found = differences["methods"][rival.method]
    return -found["high"], -found["low"]


def _how_sure(rankings: list[Ranking], part: Part) -> str:
    if not any(ranking.rivals for ranking in rankings):
        return "without a lead there is nothing to test"
    seeds = part.summary.seeds
    if seeds < 2:
        return (
            "how sure this is cannot be said: with one seed a better method cannot be told from a "
            "luckier start, and an interval over test impressions does not cover that"
        )
    test = TEST.format(seeds=seeds)
    return "; ".join(_support(ranking, part, test) for ranking in rankings if ranking.rivals)


def _support(ranking: Ranking, part: Part, test: str) -> str:
    lead = f"the lead in {SHORT[ranking.metric]}"
    untested = {rival.untested for rival in ranking.rivals}
    if len(untested) == 1 and None not in untested:
        return f"{lead} cannot be tested: {untested.pop()}"
    close = [rival.method for rival in ranking.rivals if not rival.separated]
    if close:
        return f"{lead} is not supported: {test} do not tell {ranking.best} from {_named(close)}"
    every = f"every other method{' that has a value' if ranking.undefined else ''}"
    seeds = f"{test} tell {ranking.best} from {every}"
    tested = ranking.over_rows
    if tested is None:
        return f"{lead} is supported over seeds alone: {seeds}"
    if tested.holds:
        return (
            f"{lead} is supported by both tests: {seeds}, and the {100 * tested.level:.0f} % "
            f"intervals of the lead over test {tested.drawn} lie above 0"
        )
    return (
        f"{lead} is supported over seeds alone: {seeds}, but with other test {tested.drawn} it "
        f"could turn, for the interval of the lead over {_named(tested.open_to)} includes 0"
    )


def signed(value: float) -> str:
    """Four decimals, and no minus before a 0.

    >>> signed(-0.0123), signed(-0.00001)
    ('-0.0123', '0.0000')
    """
    text = f"{value:.4f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _named(names: list[str] | dict[str, str]) -> str:
    """Names as a list in words, the first few of many."""
    shown = list(names)
    if len(shown) > NAMED_AT_MOST:
        shown[NAMED_AT_MOST - 1 :] = [f"{len(shown) - NAMED_AT_MOST + 1} others"]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
