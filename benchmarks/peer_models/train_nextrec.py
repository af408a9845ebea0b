"""ESMM of NextRec: its `fit`, stopped by its own rule on the NLL of CTCVR in validation."""

import os

from plain_log import (
    BATCH,
    DIM,
    EPOCHS,
    EPOCHS_WITHOUT_GAIN,
    SCORING_BATCH,
    TOWER,
    PlainLog,
    PlainSplit,
    Scores,
    Settings,
    adam,
    pcvr_from_ctcvr,
    run,
)


def fit(log: PlainLog, settings: Settings) -> Scores:
    os.environ["NEXTREC_LOG_DIR"] = str(settings.scratch)  # read when a model is made
    import pandas as pd
    import torch
    from nextrec.basic.features import DenseFeature, SparseFeature
    from nextrec.models.multitask.esmm import ESMM

    torch.manual_seed(settings.seed)

    def frame(split: PlainSplit) -> "pd.DataFrame":
        return pd.DataFrame(split.features)

    def labelled(split: PlainSplit) -> "pd.DataFrame":
        click, ctcvr = split.labels.T
        return frame(split).assign(ctr=click, ctcvr=ctcvr)

    tower = {"hidden_dims": [*TOWER], "activation": "relu", "dropout": 0.0}
    model = ESMM(
        [DenseFeature(name) for name in log.train.numbers],
        [SparseFeature(n, size, embedding_dim=DIM) for n, size in log.sizes.items()],
        [],
        dict(tower),
        dict(tower),
        target=["ctr", "ctcvr"],
        session_id="run",
    )
    model.compile(adam(model, 0.0, settings.decay), loss="bce")
    model.fit(
        labelled(log.train),
        labelled(log.valid),
        metrics=["logloss", "auc"],
        epochs=EPOCHS,
        batch_size=BATCH,
        early_stop_patience=EPOCHS_WITHOUT_GAIN,
        early_stop_monitor_task="ctcvr",
        use_tensorboard=False,
    )
    scores = model.predict(frame(log.test), batch_size=SCORING_BATCH)
    pctr, pctcvr = scores["ctr"].to_numpy(), scores["ctcvr"].to_numpy()
    passes = model.epoch_index + 1
    return Scores(pctr, pcvr_from_ctcvr(pctr, pctcvr), f"{passes} passes")


if __name__ == "__main__":
    run("nextrec", fit)
