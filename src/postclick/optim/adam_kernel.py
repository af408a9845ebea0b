"""Adam on rows of a table, compiled: the rows of a batch, and what they missed, in one sweep.

Threads share the rows by a hash of the row number. Shares never meet, so there are no locks, each
row sums its gradients in the order of the batch, and results do not depend on the threads.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from postclick.optim.cache_prefetch import prefetch
from postclick.system.compiled import compiled

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

# How far ahead of the row at work rows are fetched into the cache.
AHEAD = 8
# Momentum below this is taken as 0, and so are weights whose decay, squared, would be as small:
# subnormal numbers cost a hundred times as much as others and mean nothing here.
TINY = np.float32(1e-30)


class Rates(NamedTuple):
    """What Adam's settings come to, step by step.

    Attributes:
        decay, eps, beta1, beta2: as in `AdamSettings`.
        paid: float64 [steps + 1], sum of the learning rates of steps 1..k at k.
        power1, power2, root2: beta1^k, beta2^k and beta2^(k/2) at k, up to twice the steps.
        spent1, spent2: beta1 and beta2 to the power of half the time in which momentum is spent.
        rate: -ln(beta2) / 2, how fast the root of a second moment fades.
        momentum_steps: within how many steps momentum is spent.
        tiny: weights below this are taken as 0.
        replay: up to how many missed steps are taken one by one; more are taken in closed form.
            Below 0 none are taken.
    """

    decay: float
    eps: float
    beta1: float
    beta2: float
    paid: Doubles
    power1: Doubles
    power2: Doubles
    root2: Doubles
    spent1: float
    spent2: float
    rate: float
    momentum_steps: int
    tiny: float
    replay: int


@compiled(inline="always")
def _owner(row, parts):  # type: ignore[no-untyped-def]
    """Which of `parts` shares a row belongs to: neighbours go to different ones."""
    return ((((row >> 4) * 0x9E3779B1) & 0xFFFFFFFF) * parts) >> 32


@compiled(inline="always")
def _log1p(x):  # type: ignore[no-untyped-def]
    """ln(1 + x), x >= 0, to 1e-6 below 100: ln(1 + x) = 2 ln(1 + x / (1 + sqrt(1 + x)))."""
    one = np.float32(1.0)
    x = x / (one + math.sqrt(one + x))
    x = x / (one + math.sqrt(one + x))
    x = x / (one + math.sqrt(one + x))
    return np.float32(8.0) * _log1p_small(x)


@compiled(inline="always")
def _log1p_small(x):  # type: ignore[no-untyped-def]
    """The same for x < 1, as 2 artanh(x / (2 + x)): no digit is lost however small x is."""
    s = x / (np.float32(2.0) + x)
    s2 = s * s
    tail = np.float32(1 / 7) + s2 * np.float32(1 / 9)
    tail = np.float32(1 / 3) + s2 * (np.float32(1 / 5) + s2 * tail)
    return np.float32(2.0) * s * (np.float32(1.0) + s2 * tail)


@compiled(inline="always")
def _exp_minus_small(y):  # type: ignore[no-untyped-def]
    """exp(-y) for 0 <= y < 1 by its Pade approximant, to 1e-6."""
    half, tenth = np.float32(0.5) * y, np.float32(0.1) * y * y
    cube = np.float32(1 / 120) * y * y * y
    even = np.float32(1.0) + tenth
    return (even - half - cube) / (even + half + cube)


@compiled(inline="always")
def _exp_minus(y):  # type: ignore[no-untyped-def]
    """exp(-y) for y >= 0: the 64th power of exp(-y / 64)."""
    e = _exp_minus_small(min(y, np.float32(40.0)) * np.float32(1 / 64))
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    return e * e


@compiled(inline="always")
def _or_zero(x, tiny):  # type: ignore[no-untyped-def]
    return x if abs(x) > tiny else np.float32(0.0)


@compiled(inline="always")
def _fetch(table, moments, row):  # type: ignore[no-untyped-def]
    prefetch(table, row)
    prefetch(moments[row], 0)
    prefetch(moments[row], 1)


@compiled()
def _replay(table, moments, row, first, last, rates):  # type: ignore[no-untyped-def]
    """Take steps first + 1 .. last on one row, decay its only gradient."""
    decay, eps = np.float32(rates.decay), np.float32(rates.eps)
    keep1, keep2 = np.float32(rates.beta1), np.float32(rates.beta2)
    new1, new2 = np.float32(1 - rates.beta1), np.float32(1 - rates.beta2)
    tiny = np.float32(rates.tiny)
    for k in range(first + 1, last + 1):
        lr = rates.paid[k] - rates.paid[k - 1]
        size = np.float32(lr / (1 - rates.power1[k]))
        scale = np.float32(1 / math.sqrt(1 - rates.power2[k]))
        for j in range(table.shape[1]):
            w = table[row, j]
            g = decay * w
            m = _or_zero(keep1 * moments[row, 0, j] + new1 * g, TINY)
            v = keep2 * moments[row, 1, j] + new2 * g * g
            moments[row, 0, j] = m
            moments[row, 1, j] = v
            table[row, j] = _or_zero(w - size * m / (math.sqrt(v) * scale + eps), tiny)


@compiled()
def _drift(table, moments, row, first, last, rates):  # type: ignore[no-untyped-def]
    """The same in closed form: `postclick.optim.lazy_adam` derives it."""
    gap = last - first
    ratio = rates.beta1 / math.sqrt(rates.beta2)
    series = ratio * (1 - rates.power1[gap] / rates.root2[gap]) / (1 - ratio)
    tail = min(first + rates.momentum_steps, last)
    tail_lr = (rates.paid[tail] - rates.paid[first]) / (tail - first)
    if gap * (1 - ratio) >= 1 and first > 0:
        correction1 = 1 - rates.power1[first] * rates.spent1
        correction2 = 1 - rates.power2[first] * rates.spent2
    else:
        behind = max(first + 0.5 * min(float(gap), 1 / (1 - ratio)), 1.0)
        correction1 = 1 - rates.beta1**behind
        correction2 = 1 - rates.beta2**behind
    push = np.float32(tail_lr * series / correction1)
    scale = np.float32(1 / math.sqrt(correction2))
    eps = np.float32(rates.eps)
    decay = np.float32(rates.decay)
    for j in range(table.shape[1]):
        table[row, j] -= push * moments[row, 0, j] / (math.sqrt(moments[row, 1, j]) * scale + eps)
    kept1 = np.float32(rates.power1[gap])
    if decay == 0:
        kept2 = np.float32(rates.power2[gap])
        for j in range(table.shape[1]):
            moments[row, 0, j] *= kept1
            moments[row, 1, j] *= kept2
        return
    lr = (rates.paid[last] - rates.paid[first]) / gap
    # Two stretches, so each forgets beta2^(gap / 2).
    forgotten = rates.root2[gap]
    grown = 1 / math.sqrt(forgotten) - 1
    middle = np.float32(1 / math.sqrt(1 - rates.root2[max(first + last, 2)]))
    forget = np.float32(forgotten)
    gain = np.float32(1 - forgotten) * decay * decay
    reach = np.float32(rates.eps * grown)
    strength = np.float32(lr * rates.decay / (rates.rate * rates.eps))
    short = grown < 0.05
    half, tiny = np.float32(0.5), np.float32(rates.tiny)
    for _ in range(2):
        for j in range(table.shape[1]):
            w = table[row, j]
            gained = gain * w * w
            amplitude = math.sqrt(moments[row, 1, j] + half * gained) * middle
            share = reach / (amplitude + eps)
            growth = _log1p_small(share) if short else _log1p(share)
            w *= _exp_minus(strength * growth)
            table[row, j] = _or_zero(w, tiny)
            moments[row, 1, j] = forget * moments[row, 1, j] + gained
    left = decay * (np.float32(1.0) - kept1)
    for j in range(table.shape[1]):
        moments[row, 0, j] = _or_zero(moments[row, 0, j], TINY) * kept1 + left * table[row, j]


@compiled()
def _bring(table, moments, row, first, last, rates):  # type: ignore[no-untyped-def]
    """Bring one row from step `first` to step `last`."""
    if rates.replay < 0 or (rates.decay == 0 and first == 0):
        return  # rows stay, or it was never touched and nothing moves it
    if last - first <= rates.replay:
        _replay(table, moments, row, first, last, rates)
    else:
        _drift(table, moments, row, first, last, rates)


@compiled()
def bring_all(part, parts, table, moments, index, now, rates):  # type: ignore[no-untyped-def]
    """Bring the rows of one stretch of the table to step `now`."""
    rows = table.shape[0]
    for row in range(rows * part // parts, rows * (part + 1) // parts):
        first = index[row, 0] >> 1
        if first < now:
            _bring(table, moments, row, first, now, rates)
        index[row, 0] = 2 * now


@compiled()
def bring_rows(part, parts, ids, table, moments, index, found, since, slots, counts, now, rates):  # type: ignore[no-untyped-def]
    """Bring the rows of `ids` in one share to step `now`, list each once and give it a slot.

    Args:
        ids: int64 [k], repeats allowed.
        table: float32 [rows, dim]; moments float32 [rows, 2, dim].
        index: int32 [rows, 2]: twice the step a row has seen, plus one if it is listed; its slot.
        found: int64 [parts, k], written: distinct rows, share by share; counts int64 [parts].
        since: int32 [parts, k], written: the step that each found row had seen.
        slots: int32 [k], written: where in its share each id is found.
    """
    count = 0
    for i in range(ids.shape[0]):
        row = ids[i]
        if _owner(row, parts) != part:
            continue
        if index[row, 0] <= 2 * now:
            index[row, 1] = count
            found[part, count] = row
            first = index[row, 0] >> 1
            since[part, count] = first
            index[row, 0] = 2 * now + 1
            count += 1
        slots[i] = index[row, 1]
    counts[part] = count
    for k in range(count):
        if k + AHEAD < count:
            _fetch(table, moments, found[part, k + AHEAD])
        if since[part, k] < now:
            _bring(table, moments, found[part, k], since[part, k], now, rates)


@compiled()
def step_rows(  # type: ignore[no-untyped-def]
    part, parts, ids, slots, values, table, moments, index, found, counts, sums, step, rates
):
    """Step number `step` on the rows that `bring_rows` found in one share, with `values`.

    Args:
        ids: int64 [k], some or all of the found rows, repeats allowed; slots int32 [k].
        values: float32 [k, dim], their gradients.
        sums: float32 [at least as many as are found, dim], scratch.
    """
    dim = table.shape[1]
    start = 0
    for before in range(part):
        start += counts[before]
    lr = rates.paid[step] - rates.paid[step - 1]
    size = np.float32(lr / (1 - rates.power1[step]))
    scale = np.float32(1 / math.sqrt(1 - rates.power2[step]))
    decay, eps = np.float32(rates.decay), np.float32(rates.eps)
    keep1, keep2 = np.float32(rates.beta1), np.float32(rates.beta2)
    new1, new2 = np.float32(1 - rates.beta1), np.float32(1 - rates.beta2)
    sums[start : start + counts[part]] = np.float32(0.0)
    for i in range(ids.shape[0]):
        row = ids[i]
        if _owner(row, parts) != part:
            continue
        slot = start + slots[i]
        for j in range(dim):
            sums[slot, j] += values[i, j]
    for k in range(counts[part]):
        if k + AHEAD < counts[part]:
            _fetch(table, moments, found[part, k + AHEAD])
        row, slot = found[part, k], start + k
        index[row, 0] = 2 * step
        for j in range(dim):
            g = sums[slot, j] + decay * table[row, j]
            m = keep1 * moments[row, 0, j] + new1 * g
            v = keep2 * moments[row, 1, j] + new2 * g * g
            moments[row, 0, j] = m
            moments[row, 1, j] = v
            table[row, j] -= size * m / (math.sqrt(v) * scale + eps)
