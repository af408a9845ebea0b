"""Two classifiers of CatBoost: clicks on all impressions, conversions on clicked ones.

Defaults, ids as categories; each is stopped by its log loss on the validation rows of its space.
"""

from typing import Any

import numpy as np
from plain_log import TREES, TREES_WITHOUT_GAIN, PlainLog, PlainSplit, Scores, Settings, run
from two_classifiers import Target, two_classifiers


def fit(log: PlainLog, settings: Settings) -> Scores:
    from catboost import CatBoostClassifier, FeaturesData, Pool

    def features(split: PlainSplit, kept: Any = slice(None)) -> Any:
        numbers = np.stack([*split.numbers.values()], axis=1)
        # Categories are bytes there.
        categories = np.stack([*split.ids.values()], axis=1).astype("S").astype(object)
        return FeaturesData(numbers[kept], categories[kept])

    def pool(split: PlainSplit, target: Target) -> Any:
        kept, labels = target.of(split)
        return Pool(features(split, kept), labels)

    def classifier(target: Target) -> Any:
        model = CatBoostClassifier(
            iterations=TREES,
            random_seed=settings.seed,
            thread_count=1,
            logging_level="Silent",
            allow_writing_files=False,
        )
        return model.fit(
            pool(log.train, target),
            eval_set=pool(log.valid, target),
            early_stopping_rounds=TREES_WITHOUT_GAIN,
        )

    return two_classifiers(classifier, lambda model: model.tree_count_, Pool(features(log.test)))


if __name__ == "__main__":
    run("catboost", fit)
