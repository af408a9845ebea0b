"""The page in a real browser, wide and narrow: it draws, sorts, switches, and fetches nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.browser import LAPTOP, PHONE, SIZES, Opened, page_of, sideways
from helpers.comparison import HOSTILE, write_comparison
from postclick.data.prepared import PreparedLog
from postclick.reporting.page import report

pytestmark = pytest.mark.slow
DRAWN = "html[data-plots=drawn]"


@pytest.fixture(scope="module")
def pages(with_truth: Path, without_truth: Path) -> dict[str, str]:
    return {
        "with truth": report(with_truth).as_uri(),
        "without truth": report(without_truth).as_uri(),
    }


@pytest.fixture(scope="module")
def many(recorded_log: PreparedLog, tmp_path_factory: pytest.TempPathFactory) -> str:
    """So many methods that there are buttons for all of them."""
    folder = tmp_path_factory.mktemp("many")
    names = ["naive", "esmm", "escm2_ipw", "dcmt", "nise", "evi"]
    write_comparison(folder, recorded_log, names, 1, tuned=False)
    return report(folder).as_uri()


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def shared(request: pytest.FixtureRequest, browser: Any, pages: dict[str, str]) -> Iterator[Opened]:
    """One page for each size: drawing it takes a while."""
    with page_of(browser, request.param) as found:
        show_page(found.page, pages["with truth"])
        yield found


@pytest.fixture
def opened(shared: Opened) -> Iterator[Opened]:
    """The page as it was opened; what a test changes is put back."""
    size = dict(shared.page.viewport_size)
    yield shared
    shared.page.set_viewport_size(size)
    shared.page.emulate_media(color_scheme="light")
    show(shared.page, "tuned")


def show_page(page: Any, address: str) -> None:
    """Open a report and wait until its plots are drawn."""
    page.goto(address)
    page.wait_for_selector(DRAWN, state="attached", timeout=120_000)


def show(page: Any, protocol: str) -> None:
    """Switch to a protocol and wait until its plots are drawn."""
    page.click(f"[data-show={protocol}]")
    page.wait_for_selector(DRAWN, state="attached", timeout=120_000)


def drawn(page: Any) -> list[dict[str, Any]]:
    """What there is of each plot that is not hidden."""
    found: list[dict[str, Any]] = page.evaluate(
        """() => [...document.querySelectorAll(".plot")].filter((b) => b.offsetParent).map((b) => ({
            title: b.getAttribute("aria-label"),
            plotly: b.classList.contains("js-plotly-plot"),
            paths: b.querySelectorAll(
                ".scatterlayer .trace path, .barlayer .point path, .shapelayer path").length,
            width: b.querySelector("svg.main-svg")?.getBoundingClientRect().width ?? 0,
            room: b.getBoundingClientRect().width,
            plotHeight: b.querySelector("rect.nsewdrag")?.getBoundingClientRect().height ?? 0,
            plotWidth: b.querySelector("rect.nsewdrag")?.getBoundingClientRect().width ?? 0,
        }))"""
    )
    return found


def assert_all_drawn(page: Any) -> None:
    plots = drawn(page)
    assert plots
    for plot in plots:
        assert plot["plotly"] and plot["paths"] >= 1, plot
        assert abs(plot["width"] - plot["room"]) <= 1, plot
        assert plot["plotHeight"] > 120 and plot["plotWidth"] > 130, plot


def test_it_draws_everything_without_a_word(opened: Opened) -> None:
    assert_all_drawn(opened.page)
    assert sideways(opened.page) <= 0
    show(opened.page, "fixed")
    assert len(drawn(opened.page)) == opened.page.locator("[data-protocol=fixed] .plot").count()
    assert_all_drawn(opened.page)
    assert sideways(opened.page) <= 0
    assert opened.errors == []
    assert [url for url in opened.requests if not url.startswith(("data:", "blob:"))] == [
        opened.page.url
    ]
    assert opened.page.locator("img").count() == 0


def test_tables_sort_by_any_column(opened: Opened) -> None:
    table = opened.page.locator("table", has=opened.page.get_by_text("vs best")).first
    heads = table.locator("thead th")
    before = table.locator("tbody th").all_inner_texts()
    titles = heads.locator("button > span").all_inner_texts()
    for title, kind in (("cvr_auc", float), ("method", str)):
        column = titles.index(title)
        for order in ("ascending", "descending"):
            heads.nth(column).locator("button").click()
            assert heads.nth(column).get_attribute("aria-sort") == order
            assert table.locator("[aria-sort]:not([aria-sort=none])").count() == 1
            values = [kind(text) for text in sort_keys(table, column)]
            if kind is str:  # what else starts with a sign has a place that depends on the locale
                values = [name for name in values if name[0].isalpha()]
            assert len(values) >= 5
            assert values == sorted(values, reverse=order == "descending")
    assert table.locator("tbody th").all_inner_texts() != before


def sort_keys(table: Any, column: int) -> list[str]:
    """What the cells of a column are sorted by, from the top; empty for those without a value."""
    found: list[str] = table.locator("tbody tr").evaluate_all(
        f"rows => rows.map((row) => row.cells[{column}].dataset.sort ?? '')"
    )
    return found


def test_cells_without_a_value_stay_last(opened: Opened) -> None:
    table = opened.page.locator("table", has=opened.page.get_by_text("vs best")).first
    titles = table.locator("thead th button > span").all_inner_texts()
    column = titles.index("p")
    for _ in range(2):
        table.locator("thead th").nth(column).locator("button").click()
        cells = sort_keys(table, column)
        assert cells.count("") == 2  # the best itself, and the true CVR
        assert cells[-2:] == ["", ""]


def test_the_legend_switches_a_method_everywhere(opened: Opened) -> None:
    button = opened.page.locator("[data-method]").filter(has_text=HOSTILE)
    count = """(name) => [...document.querySelectorAll(".js-plotly-plot")].flatMap((box) =>
        box.data.filter((t) => t.meta === name && t.visible !== false)).length"""
    before = opened.page.evaluate(count, HOSTILE)
    assert before >= 8
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert opened.page.evaluate(count, HOSTILE) == 0
    assert opened.page.evaluate(count, "naive") == before
    show(opened.page, "fixed")
    assert opened.page.evaluate(count, HOSTILE) == 0
    button.click()
    assert opened.page.evaluate(count, HOSTILE) == opened.page.evaluate(count, "naive")
    assert opened.errors == []


def test_all_methods_are_switched_at_once(browser: Any, many: str) -> None:
    with page_of(browser, LAPTOP) as found:
        show_page(found.page, many)
        assert_all_drawn(found.page)
        assert_switched_at_once(found.page)


def assert_switched_at_once(page: Any) -> None:
    count = """() => [...document.querySelectorAll(".js-plotly-plot")].flatMap((box) =>
        box.data.filter((t) => t.meta && t.visible !== false)).length"""
    before = page.evaluate(count)
    page.click("[data-all=false]")
    assert page.evaluate(count) == 0
    page.locator("[data-method=esmm]").click()
    assert 0 < page.evaluate(count) == before / 6
    page.click("[data-all=true]")
    assert page.evaluate(count) == before
    assert page.locator("[data-method][aria-pressed=false]").count() == 0


def test_no_table_is_cut(opened: Opened) -> None:
    """Neither at the edge of its box nor at that of the window; every cell is in sight."""
    cut = opened.page.locator(".scroll").evaluate_all(
        "all => all.filter((b) => b.offsetParent && (b.scrollWidth > b.clientWidth + 1 || "
        "b.getBoundingClientRect().right > innerWidth)).map((b) => [b.previousElementSibling."
        "textContent, b.scrollWidth, b.clientWidth])"
    )
    assert cut == []
    outside = opened.page.locator("td, tbody th").evaluate_all(
        "all => all.filter((c) => c.offsetParent && (c.getBoundingClientRect().right > innerWidth "
        "|| c.scrollWidth > c.clientWidth + 1)).map((c) => c.textContent)"
    )
    assert outside == []


def test_plots_follow_the_width(opened: Opened) -> None:
    height = opened.page.viewport_size["height"]
    opened.page.set_viewport_size({"width": 800, "height": height})
    opened.page.wait_for_function(
        """() => [...document.querySelectorAll(".plot")].filter((b) => b.offsetParent).every((b) =>
            Math.abs(b.querySelector("svg.main-svg").getBoundingClientRect().width
                     - b.getBoundingClientRect().width) <= 1)""",
        timeout=30_000,
    )
    assert sideways(opened.page) <= 0


def test_print_draws_all_protocols_on_white(opened: Opened) -> None:
    opened.page.emulate_media(color_scheme="dark")
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert_all_drawn(opened.page)
    assert len(drawn(opened.page)) == opened.page.locator(".plot").count()
    ink = "getComputedStyle(document.documentElement).getPropertyValue('--page').trim()"
    assert opened.page.evaluate(ink) == "#fff"
    colours = "[...new Set([...document.querySelectorAll('.plot')].map(b => b.layout.font.color))]"
    assert opened.page.evaluate(colours) == ["#1b1f24"]
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert opened.page.evaluate(colours) == ["#e6e9ee"]
    assert opened.page.locator("[data-protocol=fixed]").first.is_hidden()


def test_the_short_page_draws_too(browser: Any, pages: dict[str, str]) -> None:
    with page_of(browser, PHONE, mobile=False) as found:
        show_page(found.page, pages["without truth"])
        assert_all_drawn(found.page)
        assert found.errors == [] and sideways(found.page) <= 0
