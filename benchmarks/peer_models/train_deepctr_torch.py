"""ESMM of DeepCTR-Torch: its `fit`, stopped by its EarlyStopping on the NLL of CTCVR in validation.

Its own validation metrics throw the labels of both tasks together; the metric given here takes
those of CTCVR apart again. Penalties are its defaults, 1e-5 on embeddings.
"""

import importlib
import threading
from unittest import mock

import numpy as np
from plain_log import (
    BATCH,
    DIM,
    EPOCHS,
    EPOCHS_WITHOUT_GAIN,
    SCORING_BATCH,
    TOWER,
    PlainLog,
    Scores,
    Settings,
    adam,
    pcvr_from_ctcvr,
    run,
)


def ctcvr_nll(labels: np.ndarray, predictions: np.ndarray) -> float:
    """NLL of the second task, where the labels of rows and tasks lie in one row: c, v, c, v, ..."""
    v, p = labels[1::2], predictions[1::2].clip(1e-7, 1 - 1e-7)
    return float(-np.mean(np.where(v > 0, np.log(p), np.log1p(-p))))


def fit(log: PlainLog, settings: Settings) -> Scores:
    # Its import asks the package index for a newer version, in a thread that prints what it finds.
    with mock.patch.object(threading.Thread, "start"):
        inputs = importlib.import_module("deepctr_torch.inputs")
        callbacks = importlib.import_module("deepctr_torch.callbacks")
        models = importlib.import_module("deepctr_torch.models.multitask.esmm")
    import torch

    torch.manual_seed(settings.seed)
    columns = [inputs.SparseFeat(n, size, embedding_dim=DIM) for n, size in log.sizes.items()]
    columns += [inputs.DenseFeat(name, 1) for name in log.train.numbers]
    # Its loss is the sum over a batch, so a decay has to be as many times as large.
    own = settings.decay is None
    decay = None if own else settings.decay * BATCH
    penalty = {} if own else {"l2_reg_embedding": 0.0}
    model = models.ESMM(columns, tower_dnn_hidden_units=TOWER, seed=settings.seed, **penalty)
    model.compile(adam(model, 0.0, decay), loss=["binary_crossentropy"] * 2)
    model.metrics = {"ctcvr_nll": ctcvr_nll}
    stopper = callbacks.EarlyStopping(
        monitor="val_ctcvr_nll",
        mode="min",
        patience=EPOCHS_WITHOUT_GAIN,
        restore_best_weights=True,
    )
    history = model.fit(
        dict(log.train.features),
        log.train.labels,
        batch_size=BATCH,
        epochs=EPOCHS,
        verbose=0,
        validation_data=(dict(log.valid.features), log.valid.labels),
        callbacks=[stopper],
    )
    # It restores the best weights only where it stopped the training.
    model.load_state_dict(stopper.best_weights)
    scores = model.predict(dict(log.test.features), batch_size=SCORING_BATCH)
    pcvr = pcvr_from_ctcvr(scores[:, 0], scores[:, 1])
    return Scores(scores[:, 0], pcvr, f"{len(history.epoch)} passes")


if __name__ == "__main__":
    run("deepctr-torch", fit)
