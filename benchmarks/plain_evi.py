"""EVI on workload A with its paper's settings, beside a plain implementation of the same model.

    python benchmarks/plain_evi.py [--rows 160000] [--rounds 3]

Measures training rows a second of one pass: 8 experts of width 256 with dropout .3, dim 5, the
numbers projected to one field, batch 8000, dense Adam with coupled decay 1e-6. The plain side has
an `nn.Embedding` for each field, the outer product as a tensor of 5 times the width, an `nn.Linear`
for each expert and torch's Adam as it comes; its batches are slices of arrays in memory, so no
loader slows it down. Both sides compute the same heads and the same loss
(tests/benchmarks/test_plain_evi.py). The sides alternate; a ratio is the median over rounds
of postclick's rate over the plain one of the same round. `ratio` takes postclick's rate from
history.jsonl, the catch-up of waiting rows included; `call_ratio` takes the whole call of `train`,
with validation, checkpoint and model file.
"""

import argparse
import json
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from postclick.data.prepared import InputSpec, PreparedLog
from postclick.papers.papers import EVI
from workload import print_table, seconds_per_row, train_run, write_workload_a

BATCH, DIM, EXPERTS, WIDTH, TOWER, DROPOUT, CONDITION = 8000, 5, 8, 256, (128, 64, 32), 0.3, 5
LR, DECAY, CLIP = 1e-3, 1e-6, (0.001, 0.999)
WEIGHTS = {"ctr": 0.2, "teacher": 0.2, "cvr": 0.4, "ctcvr": 0.1, "vie": 0.8}
RHO_START, VARIANCE_FLOOR = 5.0, 1e-3
SETTINGS = (f"network.backbone={EVI.backbone}", *(s.override for s in EVI.settings))


class Experts(nn.Module):
    """Separate experts, and a softmax gate for each task."""

    def __init__(self, inputs: int, tasks: int) -> None:
        super().__init__()
        self.experts = nn.ModuleList(nn.Linear(inputs, WIDTH) for _ in range(EXPERTS))
        self.gates = nn.ModuleList(nn.Linear(inputs, EXPERTS) for _ in range(tasks))

    def forward(self, x: Tensor) -> list[Tensor]:
        hidden = [F.dropout(F.relu(e(x)), DROPOUT, self.training) for e in self.experts]
        stacked = torch.stack(hidden, dim=1)
        weights = [gate(x).softmax(dim=1).unsqueeze(2) for gate in self.gates]
        return [(weight * stacked).sum(dim=1) for weight in weights]


class Tower(nn.Module):
    """Logit [n] and the ReLU outputs below it."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (WIDTH, *TOWER)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.last = nn.Linear(TOWER[-1], 1)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        activations = []
        for layer in self.layers:
            x = F.relu(layer(x))
            activations.append(x)
        return self.last(x).squeeze(1), activations


class PlainEvi(nn.Module):
    """EVI written down as its paper and code state it (Eqs. 10-16)."""

    def __init__(self, inputs: InputSpec) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, DIM) for size in inputs.field_sizes)
        self.numbers = nn.Linear(inputs.numerics, DIM)
        width = DIM * (len(inputs.field_sizes) + 1)
        self.shared, self.own = Experts(width, 2), Experts(CONDITION * width, 1)
        self.ctr, self.cvr, self.teacher = Tower(), Tower(), Tower()
        self.condition = nn.Linear(1, CONDITION)
        self.guess = nn.ModuleList(nn.Linear(size, size) for size in TOWER)
        self.rho = nn.ParameterList(torch.full((size,), RHO_START) for size in TOWER)

    def forward(self, ids: Tensor, numeric: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Head logits [n], and the variational term."""
        parts = [table(ids[:, k]) for k, table in enumerate(self.tables)]
        x = torch.cat([*parts, self.numbers(numeric)], dim=1)
        of_ctr, of_cvr = self.shared(x)
        ctr, _ = self.ctr(of_ctr)
        cvr, student = self.cvr(of_cvr)
        e = self.condition(ctr.detach().sigmoid().unsqueeze(1))
        conditioned = (x.unsqueeze(2) * e.unsqueeze(1)).flatten(1)
        teacher, taught = self.teacher(self.own(conditioned)[0])
        vie = torch.zeros(())
        for target, layer, guess, rho in zip(taught, student, self.guess, self.rho, strict=True):
            variance = F.softplus(rho) + VARIANCE_FLOOR
            missed = (target.detach() - guess(layer)).square()
            vie = vie + (0.5 * variance.log() + missed / (2 * variance)).mean()
        return {"ctr": ctr, "cvr": cvr, "teacher": teacher}, vie

    def loss(self, ids: Tensor, numeric: Tensor, click: Tensor, conversion: Tensor) -> Tensor:
        logits, vie = self(ids, numeric)
        p, q, g = (logits[name].sigmoid() for name in ("ctr", "cvr", "teacher"))
        bought, pi = click * conversion, p.detach().clamp(*CLIP)
        clicked = click * F.binary_cross_entropy(q, bought, reduction="none") / pi
        distilled = F.binary_cross_entropy(q, g.detach(), reduction="none")
        terms = {
            "ctr": F.binary_cross_entropy(p, click),
            "teacher": F.binary_cross_entropy(g, bought),
            "cvr": 0.5 * (clicked + (1 - click) * distilled / (1 - pi)).mean(),
            "ctcvr": F.binary_cross_entropy(p * q, bought),
            "vie": vie,
        }
        return torch.stack([WEIGHTS[name] * term for name, term in terms.items()]).sum()


def plain_rate(log: PreparedLog, seed: int) -> float:
    """Training rows a second of one pass of the plain side."""
    torch.manual_seed(seed)
    rows, sizes = log.rows("train"), log.inputs.field_sizes
    ids = rows.ids - torch.tensor([0, *sizes[:-1]]).cumsum(0)
    model = PlainEvi(log.inputs)
    optimizer = torch.optim.Adam(model.parameters(), lr=LR, weight_decay=DECAY)
    began = time.perf_counter()
    for chosen in torch.randperm(len(rows)).split(BATCH):
        loss = model.loss(
            ids[chosen], rows.numeric[chosen], rows.click[chosen], rows.conversion[chosen]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if not loss.isfinite():
        raise SystemExit(f"the plain side's loss ended at {loss.item()}")
    return len(rows) / (time.perf_counter() - began)


def compare_evi(folder: Path, rows: int, rounds: int) -> dict[str, float]:
    """Rates of both sides and their ratio."""
    log = write_workload_a(folder / "a", rows, rows // 4)
    warm = write_workload_a(folder / "warm", BATCH, BATCH // 2)
    for split in ("train", "valid"):
        log.rows(split)
    train_run(warm, folder / "warm-run", "evi", *SETTINGS)
    plain_rate(warm, 0)
    found = []
    for number in range(rounds):
        began = time.perf_counter()
        run = train_run(log, folder / f"evi-{number}", "evi", *SETTINGS, seed=number)
        call = rows / (time.perf_counter() - began)
        found.append((1 / seconds_per_row(run, log), call, plain_rate(log, number)))
    ours, calls, plain = (median(rates) for rates in zip(*found, strict=True))
    return {
        "postclick_rows_per_second": round(ours),
        "postclick_call_rows_per_second": round(calls),
        "plain_rows_per_second": round(plain),
        "ratio": round(median(mine / theirs for mine, _, theirs in found), 2),
        "call_ratio": round(median(call / theirs for _, call, theirs in found), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="EVI beside a plain implementation of it.")
    parser.add_argument("--rows", type=int, default=160_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = compare_evi(Path(folder), arguments.rows, arguments.rounds)
    print_table({"EVI on A": found})
    print(json.dumps({"threads": torch.get_num_threads(), "rows": arguments.rows, **found}))


if __name__ == "__main__":
    main()
