"""The page: the answer first, every section in its place, true figures, text that stays text."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.hostile_predictions import (
    IMAGE,
    LONG,
    LONG_NAME,
    MARKED_UP,
    SCRIPT,
    hostile_predictions,
)
from helpers.html_page import HtmlPage
from postclick.extras import TRAINING
from postclick.judgements.page.render import render
from postclick.judgements.page.words import shortened
from postclick.judging.predicted.result import JudgedLog
from postclick.metrics.catalogue import METRICS

Judged = tuple[JudgedLog, Path]
CLICKED = "Clicked impressions: pCVR against recorded conversions"
ALL = ["calibration", "figures", "segments", "truth", "entire", "exposure", "randomised", "made"]


def page_of(judged: Judged) -> HtmlPage:
    return HtmlPage((judged[1] / "report.html").read_text(encoding="utf-8"))


def sections(page: HtmlPage) -> list[str | None]:
    return [attrs["id"] for tag, attrs in page.elements if tag == "section" and "id" in attrs]


@pytest.mark.parametrize("name", ["everything", "twelve", "plain", "fruitless"])
def test_one_bold_sentence_comes_first(name: str, request: pytest.FixtureRequest) -> None:
    judged, page = (found := request.getfixturevalue(name))[0], page_of(found)
    assert judged.answer is not None
    tags = [tag for tag, _ in page.elements]
    assert tags.count("strong") == 1 and tags.index("strong") < tags.index("h2")
    said = judged.answer.sentence.replace("`", "")
    assert said in re.sub(r" (?=[:,.;])", "", page.text) or said in joined(page)
    for detail in judged.answer.details:
        assert detail.replace("`", "") in joined(page)


def joined(page: HtmlPage) -> str:
    """All words with nothing between the pieces, as a browser joins those of one line."""
    return "".join(text for _, text in page.words)


def test_every_section_has_its_place(everything: Judged, plain: Judged, fruitless: Judged) -> None:
    assert sections(page_of(everything)) == ALL
    assert sections(page_of(plain)) == ["calibration", "figures", "made"]
    assert sections(page_of(fruitless)) == [
        name for name in ALL if name not in ("truth", "randomised")
    ]
    for judged in (everything, plain, fruitless):
        page = page_of(judged)
        links = [attrs["href"] for tag, attrs in page.elements if tag == "a"]
        assert links == [f"#{name}" for name in sections(page)]


@pytest.mark.parametrize("name", ["everything", "twelve", "plain", "fruitless"])
def test_it_is_whole_light_and_fetches_nothing(name: str, request: pytest.FixtureRequest) -> None:
    page = page_of(found := request.getfixturevalue(name))
    assert page.unclosed == [] and page.open == []
    tags = {tag for tag, _ in page.elements}
    assert tags.isdisjoint({"script", "img", "iframe", "object", "b", "form"})
    for tag, attrs in page.elements:
        assert not any(key.startswith("on") for key in attrs), (tag, attrs)
        for key in ("src", "href", "xlink:href", "data", "action"):
            assert (attrs.get(key) or "#").startswith(("#", "data:,")), (tag, attrs)
    assert (found[1] / "report.html").stat().st_size < 400_000
    text = (found[1] / "report.html").read_text(encoding="utf-8")
    assert "url(" not in text and "@import" not in text
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_names_and_values_stay_text(everything: Judged) -> None:
    page = page_of(everything)
    words = joined(page)
    for text in (SCRIPT, IMAGE, MARKED_UP, "naïve café", "日本語の店", "x & y", "{{ 7 * 7 }}"):
        assert text in words
    assert LONG not in words and shortened(LONG) in words
    assert shortened(LONG_NAME) in words
    hints = [attrs["title"] or "" for _, attrs in page.elements if "title" in attrs]
    assert LONG_NAME in hints and all(len(hint) <= 400 for hint in hints)


def test_tables_hold_the_judgements_figures(everything: Judged) -> None:
    judged, page = everything[0], page_of(everything)
    first = page.table(CLICKED)
    heads = [head.split(" ")[0] for head in first.rows[0]]
    assert heads[:4] == ["model", "cvr_auc", "cvr_nll", "cvr_pcoc"]
    assert [row[0] for row in first.rows[1:]] == [shortened(m) for m in judged.models]
    for row, model in zip(first.rows[1:], judged.models, strict=True):
        for name, cell in zip(heads[1:], row[1:], strict=True):
            one = judged.figure(model, name, "clicked")
            assert one is not None and one.value is not None
            value, low, _, high = cell.split(" ")
            for text, number in ((value, one.value), (low, one.low), (high, one.high)):
                assert float(text) == pytest.approx(number, abs=0.00051)


def test_headers_tell_what_metrics_are(everything: Judged) -> None:
    page = page_of(everything)
    hints = {attrs.get("title") for tag, attrs in page.elements if tag == "th"}
    for name in {one.metric for one in everything[0].figures}:
        assert any((hint or "").startswith(METRICS[name].definition) for hint in hints), name


def test_differences_carry_p_star_and_what_could_be_seen(everything: Judged) -> None:
    judged, page = everything[0], page_of(everything)
    label = f"Gain over naive. {CLICKED}"
    table = page.table(label)
    assert [head.split(" ")[0] for head in table.rows[0]] == [
        *("model", "metric", "gain", "interval", "p", "p,", "could")
    ]
    against = [one for one in judged.differences if one.against == "naive"]
    kept = [one for one in against if (METRICS[one.metric].quantity, one.space) == CVR]
    assert len(table.rows) - 1 == len(kept) == 8
    by_name = {(shortened(one.model), one.metric): one for one in kept}
    for model, metric, gain, interval, _, p_holm, seen in table.rows[1:]:
        one = by_name[model, metric]
        assert float(gain.split(" ")[0]) == pytest.approx(one.gain, abs=6e-5)
        assert gain.endswith("*") == (one.gain > 0 and one.holm < 0.05)
        assert float(interval.split(" ")[2]) == pytest.approx(one.high, abs=6e-5)
        assert float(seen) == pytest.approx(one.detectable, abs=6e-5)
        assert (p_holm == "< 0.001") == (one.holm < 0.001)


CVR = ("cvr", "clicked")


def test_a_better_model_is_starred(everything: Judged) -> None:
    """Seen from the worst: the page of the same judgement with another one to beat."""
    judged = everything[0]
    turned = JudgedLog(**{**vars(judged), "models": judged.models[::-1]})
    table = HtmlPage(render(turned)).table(f"Gain over {shortened(LONG_NAME)}. {CLICKED}")
    starred = {(row[0], row[1]) for row in table.rows[1:] if row[2].endswith("*")}
    assert ("naive", "cvr_nll") in starred


def test_undefined_figures_say_why(fruitless: Judged) -> None:
    page, judged = page_of(fruitless), fruitless[0]
    found = judged.figure("a", "cvr_auc", "clicked")
    assert found is not None and found.undefined
    assert f"cvr_auc is undefined (a, b): {found.undefined}." in page.text
    assert page.table(CLICKED).rows[1][1] == "undefined"
    assert "no conversions among" in page.text


def test_every_value_model_and_quantity_has_its_row(twelve: Judged) -> None:
    judged, page = twelve[0], page_of(twelve)
    tables = [t for t in page.tables if ", by position: " in t.label]
    assert len(tables) == 12  # three quantities, three models in each
    for table in tables:
        over, heads, *rows = table.rows
        models = over[5:]
        assert heads[:2] == ["predicted " + heads[0].split(" ")[1], "PCOC"]
        assert [row[0] for row in rows] == ["1", "2", "3", "4", "5"]
        quantity = {"pCVR": "cvr", "pCTR": "ctr", "pCTCVR": "ctcvr"}[table.label.split(",")[0]]
        width = 3 if quantity == "cvr" else 2
        for row in rows:
            for k, model in enumerate(models):
                (one,) = (
                    s
                    for s in judged.segments
                    if (s.value, s.model, s.quantity) == (row[0], model, quantity)
                )
                assert row[1:4] == [f"{n:,}" for n in (one.rows, one.clicks, one.conversions)]
                cells = row[5 + k * width :]
                assert float(cells[0]) == pytest.approx(one.predicted, rel=1e-3)
                assert float(cells[1].split(" ")[0]) == pytest.approx(one.pcoc, abs=0.0051)


def test_each_bucket_is_a_point(everything: Judged) -> None:
    judged, page = everything[0], page_of(everything)
    hints = page.inside("title")
    assert sum(hint.startswith("predicted ") for hint in hints) == len(judged.buckets)


def test_estimates_stand_beside_what_they_assume(everything: Judged) -> None:
    judged, page = everything[0], page_of(everything)
    assert judged.entire is not None and judged.exposure is not None
    text = page.text
    assert f"Propensity: {judged.entire['propensity']}." in text
    of_model = judged.entire["models"]["naive"]
    for one in of_model["estimators"].values():
        assert one["assumption"][1:] in text and one["summary"] in text
    weights = page.table("What the weights leave of the clicks").rows[1]
    assert weights[2] == f"{of_model['effective_sample_size']:,.0f}"
    for one in judged.exposure.values():
        assert one["sentence"].replace("`", "") in joined(page)
        assert one["assumption"] in text
    assert judged.balance is not None
    balance = page.table("Balance of features").rows[2:]
    assert {row[0] for row in balance} == {one["feature"] for one in judged.balance["features"]}


def test_randomised_figures_stand_beside_the_recorded(everything: Judged) -> None:
    judged, page = everything[0], page_of(everything)
    part = judged.randomised
    assert part is not None
    table = page.table(f"Recorded and randomised. {CLICKED}")
    assert table.rows[1][:2] == ["recorded", "randomised"]
    cells = table.rows[2]
    for number, found in ((1, judged), (2, part)):
        value = found.value("naive", "cvr_auc", "clicked")
        assert float(cells[number].split(" ")[0]) == pytest.approx(value, abs=6e-5)


def test_the_page_needs_nothing_of_training(tmp_path: Path) -> None:
    log, out = tmp_path / "log.csv", tmp_path / "judged"
    hostile_predictions(["a", "b"], rows=400).write_csv(log)
    arguments = ["postclick", "judge", str(log), "--by", "shop", "--out", str(out)]
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({TRAINING!r}))\n"
        f"sys.argv = {arguments!r}\nfrom postclick.cli import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Calibration" in (out / "report.html").read_text(encoding="utf-8")
