"""The page: complete, self-contained, and safe whatever a method is called."""

import json
import re
import shlex
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from helpers.comparison import HOSTILE
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.experiments.comparison.diagnostics import DIAGNOSTICS
from postclick.experiments.comparison.plan import PLAN, Plan
from postclick.experiments.comparison.results import RESULTS, SUMMARY
from postclick.reporting.answer import answer
from postclick.reporting.commands import compare_again
from postclick.reporting.folder import read_comparison
from postclick.reporting.page import as_json, report
from postclick.system.files import read_json, write_json, write_text


class Page(HTMLParser):
    """Elements with their attributes, the words, and the contents of scripts by type."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.scripts: list[tuple[str | None, str]] = []
        self._inside: tuple[str, str | None] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = (tag, dict(attrs).get("type"))

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside and self._inside[0] == "script":
            self.scripts.append((self._inside[1], data))
        elif not (self._inside and self._inside[0] == "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def figures(self) -> list[dict[str, Any]]:
        return [json.loads(body) for kind, body in self.scripts if kind == "application/json"]


@pytest.fixture(scope="module")
def page(with_truth: Path) -> Page:
    return Page(report(with_truth).read_text(encoding="utf-8"))


def test_it_is_written_into_the_folder(without_truth: Path) -> None:
    path = report(str(without_truth))
    assert path == without_truth / "report.html"
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_nothing_is_loaded_from_anywhere(page: Page, with_truth: Path) -> None:
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), (tag, name, value)
        assert tag not in {"iframe", "object", "embed", "base", "form"}
    policy = next(a["content"] for t, a in page.elements if t == "meta" and "http-equiv" in a)
    assert policy is not None and policy.startswith("default-src 'none'")
    style = re.search(r"<style>(.*?)</style>", report(with_truth).read_text("utf-8"), re.DOTALL)
    assert style is not None
    assert not re.search(r"@import|url\(", style[1])


def test_plotly_is_in_it_once(page: Page) -> None:
    code = [body for kind, body in page.scripts if kind is None]
    assert sum("plotly.js v" in body[:200] for body in code) == 1
    assert len(code) == 2


def test_a_name_is_shown_as_it_is_and_never_obeyed(page: Page, with_truth: Path) -> None:
    assert HOSTILE in page.text
    assert not any(tag == "img" for tag, _ in page.elements)
    assert not any("onerror" in attributes for _, attributes in page.elements)
    raw = report(with_truth).read_text(encoding="utf-8")
    assert HOSTILE not in raw
    names = {t["name"] for figure in page.figures for t in figure["data"] if "name" in t}
    # Plotly reads tags in names: there it stands escaped, too.
    assert '&lt;img src=x onerror=alert(1)&gt; &amp; "co" &lt;/script&gt;' in names
    assert not any("<" in name for name in names)


def test_json_cannot_end_its_script() -> None:
    data = {"a": "</script><script>alert(1)</script>", "b": "<!-- & -->", "c": [1.5, None, "é"]}
    assert not set("<>&") & set(as_json(data))
    assert json.loads(as_json(data)) == data
    with pytest.raises(ValueError):
        as_json([float("nan")])


def test_it_holds_what_was_asked_for(page: Page, with_truth: Path) -> None:
    comparison = read_comparison(with_truth)
    for sentence in answer(comparison.parts[0], "test", "true_cvr"):
        assert sentence in page.text
    for heading in ("Data and checks", "Results", "Figures", "By method", "Run again"):
        assert heading in page.text
    for title in (
        "ROC of CVR", "ROC of CTCVR", "Calibration of CVR", "PCOC by own pCTR",
        "PCOC by common pCTR", "Propensity overlap", "Loss by term", "Validation cvr_auc",
        "True bias by propensity", "True calibration, clicked", "True calibration, unclicked",
        "Share of the possible gain",
    ):  # fmt: skip
        plots = [a for t, a in page.elements if t == "div" and a.get("aria-label") == title]
        per_method = title in ("Propensity overlap", "Loss by term")
        assert len(plots) == (2 * 5 if per_method else 2), title
    assert len(page.figures) == sum(a.get("class") == "plot" for _, a in page.elements)
    assert "5,385" in page.text and "1,366" in page.text  # the funnel
    assert "few-conversions" in page.text  # a finding of the checks


def test_each_configuration_is_there(with_truth: Path) -> None:
    raw = report(with_truth).read_text(encoding="utf-8")
    for place in ("runs/choruscvr", "tuned/naive"):
        config = (with_truth / place / "seed-0" / "config.yaml").read_text()
        assert f"<pre>{config}</pre>" in raw


def test_without_truth_and_seeds_it_is_shorter(without_truth: Path) -> None:
    page = Page(report(without_truth).read_text(encoding="utf-8"))
    assert "with one seed a better method cannot be told from a luckier start" in page.text
    assert "Against known truth" not in page.text
    assert "Tuned on validation" not in page.text
    assert not any("data-show" in attributes for _, attributes in page.elements)


def test_the_command_repeats_the_comparison(
    without_truth: Path, recorded_log: PreparedLog, tmp_path: Path
) -> None:
    words = shlex.split(compare_again(read_comparison(without_truth)))
    assert words[:3] == ["postclick", "compare", str(recorded_log.folder)]
    given = dict(zip(words[3::2], words[4::2], strict=True))
    sets = [words[k + 1] for k, word in enumerate(words) if word == "--set"]
    plan = Plan.make(given["--methods"].split(","), int(given["--seeds"]), sets)
    plan.claim(tmp_path, recorded_log, int(given["--trials"]))
    assert read_json(tmp_path / PLAN) == read_json(without_truth / PLAN)


def test_settings_of_an_arm_need_python(with_truth: Path, small_log: PreparedLog) -> None:
    code = compare_again(read_comparison(with_truth))
    called: dict[str, Any] = {}

    def compare(data: str, arms: Any, out: str, **more: Any) -> None:
        called.update(data=data, arms=arms, out=out, **more)

    own = code.replace("from postclick.reporting.compare import compare\n", "")
    exec(own, {"compare": compare})
    plan = Plan.make(called["arms"], called["seeds"], called["overrides"], called["backbone"])
    assert (called["data"], called["trials"]) == (str(small_log.folder), 6)
    settings = {job.arm: job.settings.model_dump(mode="json") for job in plan.jobs}
    for entry in settings.values():
        del entry["seed"]
    assert settings == read_json(with_truth / PLAN)["settings"]


@pytest.mark.parametrize("name", [PLAN, RESULTS, SUMMARY, DIAGNOSTICS])
def test_a_folder_that_is_no_comparison_is_refused(
    without_truth: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(without_truth, folder)
    (folder / name).unlink()
    with pytest.raises(InputError, match=rf"holds no finished comparison \({name} is missing\)"):
        report(folder)
    write_text(folder / name, "{")
    with pytest.raises(InputError, match="is damaged"):
        report(folder)


@pytest.mark.parametrize(("name", "content"), [(SUMMARY, {"metrics": []}), (DIAGNOSTICS, {})])
def test_files_of_another_version_are_refused(
    without_truth: Path, tmp_path: Path, name: str, content: object
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(without_truth, folder)
    write_json(folder / name, content)
    with pytest.raises(InputError, match="another version of postclick"):
        report(folder)


def test_it_needs_neither_the_log_nor_the_weights(without_truth: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(without_truth, folder, ignore=shutil.ignore_patterns("*.safetensors", "pred*"))
    info = folder / "runs/esmm/seed-0/run.json"
    write_json(info, {**read_json(info), "data": "/nowhere/data"})
    assert "postclick compare /nowhere/data" in report(folder).read_text(encoding="utf-8")
