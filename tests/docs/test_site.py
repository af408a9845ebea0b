"""Generated pages are up to date, links lead somewhere, and the pages make a site."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from docs.pages import PAGES, ROOT, blocks
from helpers.browser import LAPTOP, page_of
from postclick.methods.describe import to_markdown

LONGEST_LINE = 118
TABLES_ARE_WRAPPED = """() => [...document.querySelectorAll("article table")]
  .every((table) => table.closest(".md-typeset__scrollwrap"))"""
# Pixels that each page, block of code and table needs and has; a scroll bar appears beyond them.
WIDTHS = """() => [
    ...document.querySelectorAll("html, article pre > code, .md-typeset__scrollwrap")]
  .map((place) => ({
    what: place.tagName, begins: place.innerText.slice(0, 50),
    needs: place.scrollWidth, has: place.clientWidth + 1,
  }))"""


def test_methods_page_is_generated() -> None:
    page = PAGES["methods.md"].read_text(encoding="utf-8")
    assert page == to_markdown(), "run: postclick methods --markdown > docs/methods.md"


def test_links_in_the_docs_lead_somewhere() -> None:
    for name, page in PAGES.items():
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{name}: {link}"


def test_the_readme_leads_to_every_page() -> None:
    readme = PAGES["README.md"].read_text(encoding="utf-8")
    listed = re.findall(r"^- \[docs/(\S+\.md)\]\(docs/\1\)", readme, flags=re.MULTILINE)
    # index.md is the site's front page, as README.md is the repository's.
    assert sorted(listed) == sorted(set(PAGES) - {"README.md", "index.md"})


def test_no_line_of_code_is_longer_than_the_site_shows() -> None:
    """In a window of 1280 pixels; how wide a font is there, no test here can know."""
    for name, page in PAGES.items():
        for block in blocks(page.read_text(encoding="utf-8")):
            for number, line in enumerate(block.text.splitlines(), start=block.line):
                assert len(line) <= LONGEST_LINE, f"{name}, line {number}: wrap it"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All pages, as `make docs` builds them."""
    pytest.importorskip("material", reason="no mkdocs-material: pip install '.[docs]'")
    folder = tmp_path_factory.mktemp("built") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_the_site_has_every_page(site: Path) -> None:
    front = (site / "index.html").read_text(encoding="utf-8")
    for name in set(PAGES) - {"README.md"}:
        html = Path(name).with_suffix(".html").name
        assert (site / html).is_file()
        assert f'href="{html}"' in front, f"{name} is not in the navigation of mkdocs.yml"


@pytest.mark.slow
def test_code_is_highlighted(site: Path) -> None:
    """Pygments has told apart what is in a block of code; output in `text` is as it is."""
    for name in set(PAGES) - {"README.md"}:
        html = (site / Path(name).with_suffix(".html").name).read_text(encoding="utf-8")
        shown = re.findall(r'<div class="language-(\w+) highlight">(.*?)</div>', html, re.DOTALL)
        written = blocks(PAGES[name].read_text(encoding="utf-8"))
        assert [language for language, _ in shown] == [block.language for block in written], name
        for (language, content), block in zip(shown, written, strict=True):
            where = f"{name}, line {block.line}"
            kinds = set(re.findall(r'<span class="([a-z]+\d?)">', content))
            if language in ("python", "yaml"):
                kinds.discard("w")  # white space
            assert bool(kinds) == (language != "text"), where


@pytest.mark.slow
def test_nothing_is_cut_in_a_window_of_1280_pixels(site: Path, browser: Any) -> None:
    """No page, block of code or table is wider than the place that it has."""
    measured, cut = 0, []
    with page_of(browser, LAPTOP) as opened:
        page = opened.page
        for html in sorted(site.glob("*.html")):
            page.goto(html.as_uri())
            if html.name != "404.html":
                # Each table gets its container by the page's script.
                page.wait_for_function(TABLES_ARE_WRAPPED)
            found = page.evaluate(WIDTHS)
            measured += len(found)
            cut += [f"{html.name}: {entry}" for entry in found if entry["needs"] > entry["has"]]
    assert measured > 200
    assert cut == []
