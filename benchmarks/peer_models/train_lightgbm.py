"""Two classifiers of LightGBM: clicks on all impressions, conversions on clicked ones.

Defaults, ids as categories; each is stopped by its log loss on the validation rows of its space.
"""

from typing import Any

import numpy as np
from plain_log import TREES, TREES_WITHOUT_GAIN, PlainLog, PlainSplit, Scores, Settings, run


def fit(log: PlainLog, settings: Settings) -> Scores:
    import lightgbm

    ids = list(range(len(log.sizes)))

    def matrix(split: PlainSplit) -> np.ndarray:
        return np.stack([*split.features.values()], axis=1).astype(np.float64)

    def classifier(label: int, clicked_only: bool) -> Any:
        (x, y), (x_valid, y_valid) = (
            _rows(matrix(split), split.labels, label, clicked_only)
            for split in (log.train, log.valid)
        )
        model = lightgbm.LGBMClassifier(
            n_estimators=TREES, random_state=settings.seed, n_jobs=1, deterministic=True, verbose=-1
        )
        return model.fit(
            x,
            y,
            eval_set=[(x_valid, y_valid)],
            eval_metric="binary_logloss",
            categorical_feature=ids,
            callbacks=[lightgbm.early_stopping(TREES_WITHOUT_GAIN, verbose=False)],
        )

    ctr, cvr = classifier(0, clicked_only=False), classifier(1, clicked_only=True)
    test = matrix(log.test)
    pctr, pcvr = (model.predict_proba(test)[:, 1] for model in (ctr, cvr))
    return Scores(pctr, pcvr, f"{ctr.best_iteration_} and {cvr.best_iteration_} trees")


def _rows(
    x: np.ndarray, labels: np.ndarray, label: int, clicked_only: bool
) -> tuple[np.ndarray, np.ndarray]:
    kept = labels[:, 0] > 0 if clicked_only else np.ones(len(labels), bool)
    return x[kept], labels[kept, label]


if __name__ == "__main__":
    run("lightgbm", fit)
