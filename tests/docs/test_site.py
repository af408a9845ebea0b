"""Generated pages are up to date, links lead somewhere, and the pages make a site."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.pages import PAGES, ROOT
from postclick.methods.describe import to_markdown


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


@pytest.mark.slow
def test_the_site_builds(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="no mkdocs-material: pip install '.[docs]'")
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    front = (site / "index.html").read_text(encoding="utf-8")
    for name in set(PAGES) - {"README.md"}:
        html = Path(name).with_suffix(".html").name
        assert (site / html).is_file()
        assert f'href="{html}"' in front, f"{name} is not in the navigation of mkdocs.yml"
