"""ESMM on workload B: training and scoring rate beside torch-rechub, in one run.

    make bench            (or: python benchmarks/esmm_speed.py --rows 400000 --rounds 3)

Both sides: two towers 128-64-32, dim 16, batch 4096, Adam 1e-3 with weight decay 1e-5, two passes
interleaved round by round; the ratio of medians is what counts on a noisy machine. postclick runs
through its public API with progress, logging and checkpoints on; its rate is the one in
history.jsonl, loader included. torch-rechub runs its own trainer and loader.
"""

import argparse
import contextlib
import io
import json
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

from postclick import RunSettings, train
from postclick.data.prepared import PreparedLog
from postclick.progress import PlainReporter
from workload import FIELD_SIZES, write_workload

BATCH, DIM = 4096, 16
SETTINGS = [
    f"batch_size={BATCH}",
    f"embedding_dim={DIM}",
    f"eval_batch_size={4 * BATCH}",
    "epochs=1",
    "patience=null",
    "weight_decay=1e-5",
    "network_decay=null",
]


def rechub_rates(log: PreparedLog) -> tuple[float, float]:
    """Training and scoring rows a second of torch-rechub's ESMM."""
    from torch_rechub.basic.features import SparseFeature
    from torch_rechub.models.multi_task import ESMM
    from torch_rechub.trainers import MTLTrainer
    from torch_rechub.utils.data import DataGenerator

    names = [column.name for column in log.manifest.ids]
    offsets = np.cumsum([0, *FIELD_SIZES[:-1]])

    def columns(split: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
        rows = log.rows(split)
        ids = rows.ids.numpy() - offsets
        click, conversion = rows.click.numpy(), rows.conversion.numpy()
        labels = np.stack([conversion, click, click * conversion], axis=1)
        return {name: ids[:, k] for k, name in enumerate(names)}, labels

    (x, y), (x_test, y_test) = columns("train"), columns("test")
    features = [SparseFeature(n, s, DIM) for n, s in zip(names, FIELD_SIZES, strict=True)]
    tower = {"dims": [128, 64, 32], "output_layer": True, "dropout": 0.0, "activation": "relu"}
    model = ESMM(features[:12], features[12:], dict(tower), dict(tower))
    loaders = DataGenerator(x, y).generate_dataloader(
        x_val=x_test, y_val=y_test, x_test=x_test, y_test=y_test, batch_size=BATCH
    )
    trainer = MTLTrainer(model, ["classification"] * 3)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        began = time.perf_counter()
        trainer.train_one_epoch(loaders[0])
        trained = time.perf_counter()
        trainer.evaluate(model, loaders[2])
        ended = time.perf_counter()
    return len(y) / (trained - began), len(y_test) / (ended - trained)


def postclick_rates(log: PreparedLog, out: Path, *sets: str) -> tuple[float, float]:
    """Training and scoring rows a second of postclick's ESMM."""
    settings = RunSettings.make("esmm", overrides=[*SETTINGS, *sets])
    with contextlib.redirect_stderr(io.StringIO()):
        run = train(log, settings, out, reporter=PlainReporter())
    began = time.perf_counter()
    run.evaluate(log, "test")
    scoring = log.split("test").rows / (time.perf_counter() - began)
    return run.history[0]["rows_per_second"], scoring


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    sides = {
        "postclick lazy_adam": ["optimizer=lazy_adam"],
        "postclick exact_adam": ["optimizer=exact_adam"],
        "postclick lazy_adam bf16": ["optimizer=lazy_adam", "precision=bf16"],
    }
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in ("torch-rechub", *sides)}
    with tempfile.TemporaryDirectory() as scratch:
        log = write_workload(Path(scratch) / "b", arguments.rows, arguments.rows // 2)
        for split in ("train", "test"):
            log.rows(split)
        for number in range(arguments.rounds):
            rates["torch-rechub"].append(rechub_rates(log))
            for k, (name, sets) in enumerate(sides.items()):
                rates[name].append(postclick_rates(log, Path(scratch) / f"r{number}-{k}", *sets))
    base = [median(column) for column in zip(*rates["torch-rechub"], strict=True)]
    table = {}
    for name, pairs in rates.items():
        training, scoring = (median(column) for column in zip(*pairs, strict=True))
        table[name] = {
            "training_rows_per_second": round(training),
            "scoring_rows_per_second": round(scoring),
            "training_ratio": round(training / base[0], 2),
            "scoring_ratio": round(scoring / base[1], 2),
        }
    print(f"{'':<26}{'train rows/s':>14}{'ratio':>8}{'score rows/s':>14}{'ratio':>8}")
    for name, row in table.items():
        print(
            f"{name:<26}{row['training_rows_per_second']:>14,}{row['training_ratio']:>8}"
            f"{row['scoring_rows_per_second']:>14,}{row['scoring_ratio']:>8}"
        )
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads(), **table}))


if __name__ == "__main__":
    main()
