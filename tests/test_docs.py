"""The README's commands work as written, and generated pages are up to date."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from postclick.methods.describe import to_markdown

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


def run(command: list[str], folder: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def write_log(path: Path, rows: int = 12_000) -> None:
    """A log as the README's schema describes it."""
    rng = np.random.default_rng(0)
    user, item = rng.integers(0, 400, rows), rng.integers(0, 200, rows)
    taste = rng.normal(size=400)[user] + rng.normal(size=200)[item]
    click = rng.random(rows) < 1 / (1 + np.exp(2.0 - taste))
    purchase = click & (rng.random(rows) < 1 / (1 + np.exp(1.5 - taste)))
    lengths = rng.integers(0, 5, rows)
    pl.DataFrame(
        {
            "click": click.astype(int),
            "purchase": purchase.astype(int),
            "user": user,
            "item": item,
            "shop": item % 23,
            "price": rng.lognormal(2, 1, rows).round(2),
            "history": ["|".join(map(str, rng.integers(0, 50, k))) for k in lengths],
            "order_value": np.where(purchase, rng.lognormal(3, 1, rows).round(2), 0.0),
        }
    ).write_csv(path)


def test_methods_page_is_generated():
    page = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    assert page == to_markdown(), "run: postclick methods --markdown > docs/methods.md"


def test_links_in_the_docs_lead_somewhere():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


@pytest.mark.slow
def test_every_command_of_the_readme_runs(tmp_path, shared_data):
    write_log(tmp_path / "log.csv")
    shutil.copy(shared_data / "hillstrom" / "hillstrom.csv", tmp_path)
    commands = [line for block in blocks("bash") for line in block.strip().splitlines()]
    assert len(commands) >= 8
    for command in commands:
        if "schema.yaml log.csv" in command and "check --schema" in command:
            # The schema as printed in the README is as good as the drafted one.
            run(["bash", "-ec", command], tmp_path)
            (tmp_path / "schema.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
        run(["bash", "-ec", command], tmp_path)
    for code in blocks("python"):
        run([sys.executable, "-c", code], tmp_path)
