"""Two classifiers of LightGBM: clicks on all impressions, conversions on clicked ones.

Defaults, ids as categories; each is stopped by its log loss on the validation rows of its space.
"""

from typing import Any

import numpy as np
from plain_log import TREES, TREES_WITHOUT_GAIN, PlainLog, PlainSplit, Scores, Settings, run
from two_classifiers import Target, two_classifiers


def fit(log: PlainLog, settings: Settings) -> Scores:
    import lightgbm

    ids = list(range(len(log.sizes)))

    def matrix(split: PlainSplit) -> np.ndarray:
        return np.stack([*split.features.values()], axis=1).astype(np.float64)

    def rows(split: PlainSplit, target: Target) -> tuple[np.ndarray, np.ndarray]:
        kept, labels = target.of(split)
        return matrix(split)[kept], labels

    def classifier(target: Target) -> Any:
        model = lightgbm.LGBMClassifier(
            n_estimators=TREES, random_state=settings.seed, n_jobs=1, deterministic=True, verbose=-1
        )
        return model.fit(
            *rows(log.train, target),
            eval_set=[rows(log.valid, target)],
            eval_metric="binary_logloss",
            categorical_feature=ids,
            callbacks=[lightgbm.early_stopping(TREES_WITHOUT_GAIN, verbose=False)],
        )

    return two_classifiers(classifier, lambda model: model.best_iteration_, matrix(log.test))


if __name__ == "__main__":
    run("lightgbm", fit)
