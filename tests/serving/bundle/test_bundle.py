"""A bundle scores raw rows as training's own path does, whole and in parts."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from helpers.expected_scores import expected_scores, largest_difference
from helpers.runs import small_settings
from postclick import export, prepare, simulate, train
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.splits import LogSplits
from postclick.errors import InputError
from postclick.runs.run import Run
from postclick.serving.bundle.bundle import Bundle

Raw = tuple[pl.DataFrame, pl.DataFrame]
LIMIT = 1e-6


def test_scores_are_those_of_the_run(
    mixed_bundle: Bundle, mixed_run: Run, mixed_data: PreparedLog, mixed_raw: Raw
) -> None:
    """Unseen ids, gaps in numbers, lists that are empty, cut and weighted, separated text."""
    test = mixed_raw[1]
    scores = mixed_bundle.score(test)
    assert set(scores.dtypes) == {pl.Float32}
    expected = expected_scores(mixed_run, mixed_data, test)
    assert largest_difference(scores, expected) < LIMIT
    assert scores["pctr"].n_unique() > 600  # nothing that is the same for all rows


@pytest.mark.parametrize(
    ("world", "method"),
    [("aliccp_like", "esmm"), ("aliexpress_like", "aitm"), ("confounded", "choruscvr")],
)
def test_scores_of_simulated_worlds(world: str, method: str, tmp_path: Path) -> None:
    raw = simulate(world, rows=4_000, seed=0, ctr=0.3, cvr=0.3)
    train_log, test_log = FrameSource(raw.train), FrameSource(raw.test)
    log = prepare(LogSplits(raw.schema, train_log, test_log), tmp_path / "data")
    run = train(log, small_settings(method, "epochs=1"), tmp_path / "run")
    run.evaluate(log, keep_predictions=True)
    bundle = export(run, tmp_path / "bundle")
    scores = bundle.score(raw.test)
    assert largest_difference(scores, expected_scores(run, log, raw.test)) < LIMIT


@pytest.mark.parametrize("rows", [0, 1, 255, 256, 257, 1200])
def test_any_number_of_rows(mixed_bundle: Bundle, mixed_raw: Raw, rows: int) -> None:
    test = mixed_raw[1]
    whole = mixed_bundle.score(test)
    assert largest_difference(mixed_bundle.score(test.head(rows)), whole.head(rows)) < LIMIT


def test_types_that_mean_the_same_score_the_same(mixed_bundle: Bundle, mixed_raw: Raw) -> None:
    test = mixed_raw[1].head(300)
    changed = test.with_columns(
        pl.col("user").cast(pl.Float64),
        pl.col("shop").cast(pl.Categorical),
        pl.col("size").cast(pl.Float32),
        pl.col("price", "spend", "age").cast(pl.String),
        pl.col("history").cast(pl.List(pl.Int32)),
        pl.col("tags").str.split("|"),
    ).select(reversed(test.columns))
    assert mixed_bundle.score(changed).equals(mixed_bundle.score(test))


def test_rows_of_which_nothing_is_known(mixed_bundle: Bundle) -> None:
    blank = pl.DataFrame({name: [None, None] for name in mixed_bundle.features})
    scores = mixed_bundle.score(blank)
    assert scores.row(0) == scores.row(1) and all(0 < value < 1 for value in scores.row(0))


def test_a_user_and_candidates(mixed_bundle: Bundle, mixed_raw: Raw) -> None:
    test = mixed_raw[1].head(600)
    theirs = ["user", "age", "history", "weight"]
    user, candidates = test.select(theirs).slice(4, 1), test.drop(theirs, "click", "buy")
    everything = candidates.hstack(pl.concat([user] * 600))
    expected = mixed_bundle.score(everything)
    assert mixed_bundle.score_candidates(user, candidates).equals(expected)
    parts = mixed_bundle.encode(user, mixed_bundle.features_of(theirs))
    rest = [f for f in parts.layout.features if f not in parts.features]
    scores = mixed_bundle.run(parts.beside(mixed_bundle.encode(candidates, rest)))
    assert scores.frame().equals(expected)


def test_a_user_who_is_read_apart(
    mixed_run: Run, mixed_bundle: Bundle, mixed_raw: Raw, tmp_path: Path
) -> None:
    """Whether the user's part has just the features that were exported as his, more, or less."""
    apart = ["user", "spend", "history"]
    bundle = export(mixed_run, tmp_path / "bundle", user_features=apart)
    assert bundle.info.user_features == ("user", "history", "spend")
    test = mixed_raw[1].head(600).drop("click", "buy")
    assert largest_difference(bundle.score(test), mixed_bundle.score(test)) < LIMIT
    for theirs in ([*apart, "weight"], [*apart, "weight", "shop", "tags"], ["user", "spend"]):
        user, candidates = test.select(theirs).slice(4, 1), test.drop(theirs)
        expected = mixed_bundle.score(candidates.hstack(pl.concat([user] * 600)))
        found = bundle.score_candidates(user, candidates)
        assert largest_difference(found, expected) < LIMIT
    user, rest = bundle.encode(test[:1], apart), ["shop", "size", "Grün/é", "price", "age"]
    own = bundle.encode(test, [*rest, "tags"])
    assert (
        largest_difference(
            bundle.run(own, user).frame(),
            bundle.score(
                test.select([*rest, "tags"]).hstack(
                    pl.concat([test[:1].select(*apart, "weight")] * 600)
                )
            ),
        )
        < LIMIT
    )
    with pytest.raises(InputError, match="feature 'tags' has not been encoded"):
        bundle.run(bundle.encode(test, rest), bundle.encode(test[:1], [*apart, "tags"]))
    with pytest.raises(InputError, match="feature 'spend' has not been encoded"):
        bundle.run(bundle.encode(test), bundle.encode(test[:1], ["user", "history"]))
    with pytest.raises(InputError, match="2 users and 3 features that are the user's"):
        bundle.run(own, bundle.encode(test[:2], apart))
    with pytest.raises(InputError, match="1 users and 0 features that are the user's"):
        mixed_bundle.run(mixed_bundle.encode(test), mixed_bundle.encode(test[:1], apart))


def test_threads_do_not_disturb_each_other(mixed_bundle: Bundle, mixed_raw: Raw) -> None:
    test = mixed_raw[1]
    expected = mixed_bundle.score(test)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: mixed_bundle.score(test), range(12)))
    assert all(largest_difference(scores, expected) < LIMIT for scores in found)


def test_long_lists_are_scored_in_smaller_blocks(
    mixed_bundle: Bundle, mixed_raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = mixed_raw[1].head(500)
    expected = mixed_bundle.score(test)
    monkeypatch.setattr("postclick.serving.bundle.onnx_model.BLOCK_IDS", 20)
    assert largest_difference(mixed_bundle.score(test), expected) < LIMIT


REFUSED: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], str]] = {
    "a missing column": (lambda f: f.drop("price"), "no column 'price' among the rows to score"),
    "missing weights": (lambda f: f.drop("weight"), "no column 'weight' among the rows"),
    "a list as a category": (
        lambda f: f.with_columns(pl.concat_list("shop")),
        r"column 'shop' holds List\(.*\), not one value per row",
    ),
    "text as a number": (
        lambda f: f.with_columns(price=pl.lit("ten")),
        r"column 'price': 9 values are not numbers \(such as 'ten'\)",
    ),
    "a date as a number": (
        lambda f: f.with_columns(age=pl.lit(0).cast(pl.Date)),
        "column 'age' holds Date, not numbers",
    ),
    "fewer weights": (
        lambda f: f.with_columns(weight=pl.lit([1.0] * 7)),
        "column 'history': 9 rows have lists and weights of different lengths",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_scored_is_refused(mixed_bundle: Bundle, mixed_raw: Raw, case: str) -> None:
    change, message = REFUSED[case]
    with pytest.raises(InputError, match=message) as error:
        mixed_bundle.score(change(mixed_raw[1].head(9)))
    assert "\n" not in str(error.value)


def test_parts_that_are_not_whole_are_refused(
    mixed_bundle: Bundle, mixed_raw: Raw, tmp_path: Path
) -> None:
    test = mixed_raw[1]
    with pytest.raises(InputError, match="feature 'shop' has not been encoded"):
        mixed_bundle.run(mixed_bundle.encode(test, ["user"]))
    with pytest.raises(InputError, match="the bundle has no feature 'weight'; it has user, shop"):
        mixed_bundle.encode(test, ["weight"])
    with pytest.raises(InputError, match="the user's part has 2 rows"):
        mixed_bundle.score_candidates(test.head(2), test)
    with pytest.raises(InputError, match="threads is 0"):
        Bundle.open(mixed_bundle.folder, threads=0)
    with pytest.raises(InputError, match="is not a bundle .no bundle.json.: make one"):
        Bundle.open(tmp_path)
