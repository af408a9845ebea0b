"""Two classifiers of CatBoost: clicks on all impressions, conversions on clicked ones.

Defaults, ids as categories; each is stopped by its log loss on the validation rows of its space.
"""

from typing import Any

import numpy as np
from plain_log import TREES, TREES_WITHOUT_GAIN, PlainLog, PlainSplit, Scores, Settings, run


def fit(log: PlainLog, settings: Settings) -> Scores:
    from catboost import CatBoostClassifier, FeaturesData, Pool

    def pool(split: PlainSplit, label: int | None = None, clicked_only: bool = False) -> Any:
        numbers = np.stack([*split.numbers.values()], axis=1)
        # Categories are bytes there.
        categories = np.stack([*split.ids.values()], axis=1).astype("S").astype(object)
        if label is None:
            return Pool(FeaturesData(numbers, categories))
        labels = split.labels
        kept = labels[:, 0] > 0 if clicked_only else np.ones(len(labels), bool)
        return Pool(FeaturesData(numbers[kept], categories[kept]), labels[kept, label])

    def classifier(label: int, clicked_only: bool) -> Any:
        train, valid = (pool(split, label, clicked_only) for split in (log.train, log.valid))
        model = CatBoostClassifier(
            iterations=TREES,
            random_seed=settings.seed,
            thread_count=1,
            logging_level="Silent",
            allow_writing_files=False,
        )
        return model.fit(train, eval_set=valid, early_stopping_rounds=TREES_WITHOUT_GAIN)

    ctr, cvr = classifier(0, clicked_only=False), classifier(1, clicked_only=True)
    test = pool(log.test)
    pctr, pcvr = (model.predict_proba(test)[:, 1] for model in (ctr, cvr))
    return Scores(pctr, pcvr, f"{ctr.tree_count_} and {cvr.tree_count_} trees")


if __name__ == "__main__":
    run("catboost", fit)
