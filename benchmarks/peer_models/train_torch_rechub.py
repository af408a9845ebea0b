"""ESMM of torch-rechub: its MTLTrainer, stopped by its own rule, the AUC of CTCVR in validation.

Its ESMM takes ids alone, so numbers come as bins. Its DataGenerator collates row by row; here its
dataset is indexed by whole batches instead, which changes no batch but the time that one takes.
"""

from typing import Any

import numpy as np
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
    run,
)


def fit(log: PlainLog, settings: Settings) -> Scores:
    import torch
    from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler
    from torch_rechub.basic.features import SparseFeature
    from torch_rechub.models.multi_task import ESMM
    from torch_rechub.trainers import MTLTrainer
    from torch_rechub.utils.data import PredictDataset, TorchDataset

    torch.manual_seed(settings.seed)

    def batches(dataset: Any, size: int, *, shuffle: bool = False) -> Any:
        order = RandomSampler(dataset) if shuffle else SequentialSampler(dataset)
        return DataLoader(dataset, sampler=BatchSampler(order, size, False), batch_size=None)

    def labelled(split: PlainSplit) -> Any:
        # The model gives CVR, CTR and CTCVR; the first label is neither trained nor stopped by.
        return TorchDataset(split.ids_and_bins, split.labels[:, [1, 0, 1]])

    sizes = {**log.sizes, **log.bin_sizes}
    features = [SparseFeature(name, size, DIM) for name, size in sizes.items()]
    tower = {"dims": [*TOWER], "output_layer": True, "dropout": 0.0, "activation": "relu"}
    # User and item features are only concatenated: it does not matter where they are parted.
    model = ESMM(features[:1], features[1:], dict(tower), dict(tower))
    trainer = MTLTrainer(
        model,
        ["classification"] * 3,
        optimizer_fn=lambda _: adam(model, 1e-5, settings.decay),
        optimizer_params={},
        n_epoch=EPOCHS,
        earlystop_taskid=2,
        earlystop_patience=EPOCHS_WITHOUT_GAIN,
        model_path=str(settings.scratch),
    )
    passes = trainer.fit(
        batches(labelled(log.train), BATCH, shuffle=True),
        batches(labelled(log.valid), SCORING_BATCH),
    )
    # `fit` keeps the last weights where it was not stopped.
    model.load_state_dict(trainer.early_stopper.best_weights)
    to_score = batches(PredictDataset(log.test.ids_and_bins), SCORING_BATCH)
    scores = np.asarray(trainer.predict(model, to_score))
    return Scores(scores[:, 1], scores[:, 0], f"{len(passes)} passes")


if __name__ == "__main__":
    run("torch-rechub", fit)
