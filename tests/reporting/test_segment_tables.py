"""Tables of the report by value of a feature, and of intervals over impressions."""

import json
from pathlib import Path
from typing import Any

import pytest

from helpers.comparison import HOSTILE, write_comparison
from postclick.data.prepared import PreparedLog
from postclick.reporting.commands import compare_again
from postclick.reporting.folder import ComparisonFolder, read_comparison
from postclick.reporting.interval_table import interval_table
from postclick.reporting.page import render
from postclick.reporting.segment_tables import segment_tables
from postclick.system.files import read_json, write_json


def segment(value: str, values: int, rows: int, auc: float | None) -> dict[str, Any]:
    reason = None if auc is not None else "no clicked rows"
    return {
        "value": value,
        "values": values,
        "rows": rows,
        "clicks": rows // 4,
        "conversions": rows // 16,
        "metrics": [
            {"metric": "cvr_auc", "space": "clicked", "value": auc, "undefined": reason},
            {"metric": "cvr_bias", "space": "entire", "value": 0.01, "undefined": None},
        ],
    }


@pytest.fixture(scope="module")
def segmented(small_log: PreparedLog, tmp_path_factory: pytest.TempPathFactory) -> ComparisonFolder:
    folder = tmp_path_factory.mktemp("segmented")
    write_comparison(folder, small_log, ["naive", "esmm"], 2, tuned=False, studied=False)
    for path in folder.glob("runs/*/*/metrics.json"):
        seed = int(path.parent.name.removeprefix("seed-"))
        shop = [segment(HOSTILE, 1, 1_600, 0.6 + 0.1 * seed), segment("(others)", 7, 400, None)]
        by = {"shop": {"kind": "categorical", "segments": shop}}
        found = read_json(path)
        write_json(path, {"test": {**found["test"], "by": by}})
    return read_comparison(folder)


def test_a_row_for_each_value_and_method(segmented: ComparisonFolder) -> None:
    (table,) = segment_tables(segmented.parts[0], "test")
    assert "test split by shop (means over 2 seeds)" in table.caption
    titles = [column.title for column in table.columns]
    assert titles[:5] == ["shop", "method", "impressions", "clicks", "conversions"]
    assert titles[5:] == ["cvr_auc", "cvr_bias"]
    rows = {(row[0].text, row[1].text): [cell.text for cell in row[2:]] for row in table.rows}
    assert rows[HOSTILE, "naive"] == ["1,600", "400", "100", "0.6500", "0.0100"]
    assert rows["(others), 7 values", "esmm"] == ["400", "100", "25", "-", "0.0100"]
    assert len(table.rows) == 4
    assert table.rows[2][5].hint == "no clicked rows"


def test_the_page_has_them_and_no_value_is_code(segmented: ComparisonFolder) -> None:
    page = render(segmented)
    assert 'id="segments"' in page and 'href="#segments"' in page
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "--by shop" in compare_again(segmented)


def test_runs_judged_by_other_values_are_not_put_together(segmented: ComparisonFolder) -> None:
    path = segmented.folder / "runs" / "esmm" / "seed-1" / "metrics.json"
    before = read_json(path)
    cut = json.loads(json.dumps(before))
    cut["test"]["by"]["shop"]["segments"].pop()
    try:
        write_json(path, cut)
        assert segment_tables(read_comparison(segmented.folder).parts[0], "test") == []
    finally:
        write_json(path, before)


def test_without_them_there_is_no_section(with_truth: Path, tmp_path: Path) -> None:
    comparison = read_comparison(with_truth)
    assert segment_tables(comparison.parts[0], "test") == []
    assert 'id="segments"' not in render(comparison)
    assert "--by" not in compare_again(comparison)


def test_intervals_stand_beside_values(with_truth: Path) -> None:
    part = read_comparison(with_truth).parts[0]
    table = interval_table(part, "test")
    assert table is not None
    assert "95 % intervals over impressions of the test split" in table.caption
    titles = [column.title for column in table.columns]
    assert titles[1:-1] == ["cvr_auc", "cvr_nll", "cvr_pcoc", "true_cvr_nll", "cvr_bias"]
    assert titles[-1] == "gain in NLL"
    entry = part.intervals["methods"]["esmm"]["figures"][2]
    row = next(row for row in table.rows if row[0].text == "esmm")
    assert row[3].text == f"{entry['value']:.4f} [{entry['low']:.4f}, {entry['high']:.4f}]"
    assert row[3].sort == entry["value"]
    best = next(row for row in table.rows if row[0].text == part.intervals["best"])
    assert best[-1].text == "-"
    values = part.results.filter(metric="cvr_auc", method="esmm")["value"]
    assert part.intervals["methods"]["esmm"]["figures"][0]["value"] == pytest.approx(values.mean())
    assert "gain in NLL" in render(read_comparison(with_truth))


def test_a_comparison_of_an_earlier_version_has_none(
    segmented: ComparisonFolder, tmp_path: Path
) -> None:
    path = segmented.folder / "diagnostics.json"
    before = path.read_text()
    found = json.loads(before)
    for part in found["protocols"].values():
        del part["intervals"]
    try:
        write_json(path, found)
        again = read_comparison(segmented.folder)
        assert interval_table(again.parts[0], "test") is None
        assert "gain in NLL" not in render(again)
    finally:
        path.write_text(before)
