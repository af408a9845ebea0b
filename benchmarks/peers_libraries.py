"""ESMM as other libraries train and judge it: one function for each peer of `peers.py`.

Each function builds the peer's own model with two towers 128-64-32 and dim 16, lets the peer's own
trainer and loader make one pass, and then lets it score and judge the test split. Preparing the
columns in the peer's form and building the model are not timed. A peer that is not installed
raises ImportError. Decay is 1e-5 in each peer's own way: coupled Adam decay of all weights in
torch-rechub, a penalty on the embeddings in DeepCTR-Torch (beside a loss that is summed over the
batch, so it weighs less), a penalty on all weights in FuxiCTR.
"""

import contextlib
import importlib
import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from postclick.data.prepared import PreparedLog

DIM, TOWER, DECAY = 16, (128, 64, 32), 1e-5


class Result(NamedTuple):
    """Rows a second of training and of judging, and two test AUCs."""

    training: float
    scoring: float
    ctr_auc: float | None
    ctcvr_auc: float | None


@dataclass(frozen=True)
class Split:
    """Ids of each field, counted from 0 in each, and labels; int64 [rows] each."""

    ids: dict[str, np.ndarray]
    click: np.ndarray
    ctcvr: np.ndarray

    def __len__(self) -> int:
        return len(self.click)


@dataclass(frozen=True)
class PeerData:
    """The log in a form that is near to what every peer reads."""

    sizes: dict[str, int]
    train: Split
    test: Split

    @classmethod
    def of(cls, log: PreparedLog) -> "PeerData":
        sizes = {column.name: column.size for column in log.manifest.ids}
        offsets = np.cumsum([0, *sizes.values()])[:-1]

        def split(name: str) -> Split:
            rows = log.rows(name)
            ids = np.ascontiguousarray((rows.ids.numpy() - offsets).T)
            click = rows.click.numpy().astype(np.int64)
            ctcvr = click * rows.conversion.numpy().astype(np.int64)
            return Split(dict(zip(sizes, ids, strict=True)), click, ctcvr)

        return cls(sizes, split("train"), split("test"))


def torch_rechub(data: PeerData, batch: int, scoring_batch: int, scratch: Path) -> Result:
    """torch-rechub 0.8: MTLTrainer with its default Adam, one row at a time from its loader."""
    from torch_rechub.basic.features import SparseFeature
    from torch_rechub.models.multi_task import ESMM
    from torch_rechub.trainers import MTLTrainer
    from torch_rechub.utils.data import DataGenerator

    def loaders(split: Split, size: int) -> Any:
        # The model gives CVR, CTR and CTCVR; the first one's label is only judged, not trained.
        y = np.stack([split.ctcvr, split.click, split.ctcvr], axis=1)
        generator = DataGenerator(split.ids, y)
        return generator.generate_dataloader(
            x_val=split.ids, y_val=y, x_test=split.ids, y_test=y, batch_size=size
        )

    features = [SparseFeature(name, size, DIM) for name, size in data.sizes.items()]
    tower = {"dims": [*TOWER], "output_layer": True, "dropout": 0.0, "activation": "relu"}
    # User and item features are only concatenated, so it does not matter where they are parted.
    model = ESMM(features[:12], features[12:], dict(tower), dict(tower))
    trainer = MTLTrainer(
        model,
        ["classification"] * 3,
        optimizer_params={"lr": 1e-3, "weight_decay": DECAY},
        model_path=str(scratch),
    )
    shuffled, *_ = loaders(data.train, batch)
    *_, in_order = loaders(data.test, scoring_batch)
    with _quiet():
        began = time.perf_counter()
        trainer.train_one_epoch(shuffled)
        trained = time.perf_counter()
        _, ctr, ctcvr = trainer.evaluate(model, in_order)
        ended = time.perf_counter()
    return _result(data, began, trained, ended, ctr, ctcvr)


def deepctr_torch(data: PeerData, batch: int, scoring_batch: int, scratch: Path) -> Result:
    """DeepCTR-Torch 0.3: its `fit`, then its `predict` and its AUC for each of two tasks."""
    # Its import asks the package index for a newer version, in a thread that prints what it finds.
    with mock.patch.object(threading.Thread, "start"):
        inputs = importlib.import_module("deepctr_torch.inputs")
        models = importlib.import_module("deepctr_torch.models.multitask.esmm")

    columns = [inputs.SparseFeat(n, size, embedding_dim=DIM) for n, size in data.sizes.items()]
    model = models.ESMM(columns, tower_dnn_hidden_units=TOWER, l2_reg_embedding=DECAY)
    model.compile("adam", loss=["binary_crossentropy"] * 2, metrics=["auc"])
    y = np.stack([data.train.click, data.train.ctcvr], axis=1)
    auc = model.metrics["auc"]
    with _quiet():
        began = time.perf_counter()
        model.fit(dict(data.train.ids), y, batch_size=batch, epochs=1, verbose=0)
        trained = time.perf_counter()
        scores = model.predict(dict(data.test.ids), batch_size=scoring_batch)
        # `evaluate` would throw both tasks into one AUC.
        ctr, ctcvr = auc(data.test.click, scores[:, 0]), auc(data.test.ctcvr, scores[:, 1])
        ended = time.perf_counter()
    return _result(data, began, trained, ended, ctr, ctcvr)


def fuxictr(data: PeerData, batch: int, scoring_batch: int, scratch: Path) -> Result:
    """FuxiCTR 2.3: its MultiTaskModel, layers, `fit`, `evaluate` and npz loader.

    It has no ESMM (its multi-task models are shared bottom, MMoE and PLE): the product of the two
    towers is put on its parts here. The loader has one worker process, its default.
    """
    import torch
    from fuxictr.features import FeatureMap
    from fuxictr.pytorch.dataloaders.npz_dataloader import NpzDataLoader
    from fuxictr.pytorch.layers import FeatureEmbedding, MLP_Block
    from fuxictr.pytorch.models import MultiTaskModel

    features = FeatureMap("workload", str(scratch))
    features.labels = ["click", "ctcvr"]
    for name, size in data.sizes.items():
        features.features[name] = {"type": "categorical", "source": "", "vocab_size": size}
    features.num_fields = features.get_num_fields()
    features.set_column_index()

    class Esmm(MultiTaskModel):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(
                features,
                task=["binary_classification"] * 2,
                num_tasks=2,
                embedding_regularizer=DECAY,
                net_regularizer=DECAY,
                verbose=0,
                model_root=str(scratch),
                metrics=["AUC"],
            )
            self.embedding_layer = FeatureEmbedding(features, DIM)
            width = DIM * features.num_fields
            self.towers = torch.nn.ModuleList(
                MLP_Block(width, [*TOWER], output_dim=1) for _ in range(2)
            )
            self.compile("adam", "binary_crossentropy", 1e-3)
            self.reset_parameters()

        def forward(self, inputs: Any) -> dict[str, torch.Tensor]:
            x = self.embedding_layer(self.get_inputs(inputs), flatten_emb=True)
            ctr, cvr = (tower(x).sigmoid() for tower in self.towers)
            return {"click_pred": ctr, "ctcvr_pred": ctr * cvr}

        def eval_step(self) -> None:
            """No validation within the timed pass: nothing to choose, nothing to save."""

        def load_weights(self, checkpoint: str) -> None:
            """The last weights are kept."""

    def loader(name: str, split: Split, size: int, *, shuffle: bool) -> Any:
        path = scratch / f"{name}.npz"
        np.savez(path, **split.ids, click=split.click, ctcvr=split.ctcvr)
        return NpzDataLoader(features, str(path), batch_size=size, shuffle=shuffle)

    scratch.mkdir(parents=True, exist_ok=True)
    shuffled = loader("train", data.train, batch, shuffle=True)
    in_order = loader("test", data.test, scoring_batch, shuffle=False)
    model = Esmm()
    with _quiet():
        began = time.perf_counter()
        model.fit(shuffled, epochs=1)
        trained = time.perf_counter()
        found = model.evaluate(in_order)
        ended = time.perf_counter()
    return _result(data, began, trained, ended, found["click_AUC"], found["ctcvr_AUC"])


PEERS = {"torch-rechub": torch_rechub, "DeepCTR-Torch": deepctr_torch, "FuxiCTR": fuxictr}
BASE = "torch-rechub"


def _result(
    data: PeerData, began: float, trained: float, ended: float, ctr: float, ctcvr: float
) -> Result:
    training, scoring = len(data.train) / (trained - began), len(data.test) / (ended - trained)
    return Result(training, scoring, float(ctr), float(ctcvr))


@contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
