"""Classes by their place, and what a run folder may not do: import what nobody asked for."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

import postclick
from helpers.phased import Phased
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.methods import find_method, title_of
from postclick.runs.settings import RunSettings

from .conftest import SMALL, Command

FOCAL = "clickshop.focal:Focal"


def test_a_place_is_imported_where_the_user_asks_for_it(
    unregistered: Path, shop_log: Path, postclick_with: Command, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    done = postclick_with(unregistered, "train", shop_log, "--method", FOCAL, *SMALL, "--out", run)
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load((run / "config.yaml").read_text())["method"] == FOCAL
    done = postclick_with(unregistered, "evaluate", run, shop_log)
    assert done.returncode == 2
    assert "postclick --import clickshop" in done.stderr
    assert done.stderr.count("\n") == 1
    done = postclick_with(unregistered, "--import", "clickshop", "evaluate", run, shop_log)
    assert done.returncode == 0, done.stderr
    done = postclick_with(
        *(unregistered, "--import", "clickshop", "train", shop_log),
        *("--config", run / "config.yaml", "--out", tmp_path / "again"),
    )
    assert done.returncode == 0, done.stderr
    done = postclick_with(None, "--import", "clickshop", "evaluate", run, shop_log)
    assert done.returncode == 2
    assert "--import clickshop: no such package is installed here" in done.stderr
    done = postclick_with(None, "evaluate", run, shop_log)
    assert done.returncode == 2
    assert "it is clickshop.focal:Focal of clickshop 0.3" in done.stderr


@pytest.mark.slow
def test_compare_by_place_with_two_workers(
    unregistered: Path, shop_log: Path, postclick_with: Command, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    done = postclick_with(
        *(unregistered, "compare", shop_log, "--methods", f"naive,{FOCAL}/plain", "--seeds", "2"),
        *("--trials", "0", "--workers", "2", *SMALL, "--out", out, "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["protocols"]["fixed"]["methods"] == ["naive", "focal/plain"]
    assert (out / "runs" / "focal+plain" / "seed-1").is_dir()


def hostile(folder: Path, method: str) -> None:
    path = folder / "config.yaml"
    path.write_text(path.read_text().replace("method: naive", f"method: '{method}'"))


def test_a_hostile_run_folder_imports_nothing(
    shop_log: Path, postclick_with: Command, tmp_path: Path
) -> None:
    run, site = tmp_path / "run", tmp_path / "site"
    site.mkdir()
    mark = tmp_path / "imported"
    (site / "evil.py").write_text(f"open({str(mark)!r}, 'w').close()\nclass Evil: pass\n")
    postclick_with(None, "train", shop_log, "--method", "naive", *SMALL, "--out", run)
    hostile(run, "evil:Evil")
    backbone = tmp_path / "backbone"
    shutil.copytree(run, backbone)
    text = (run / "config.yaml").read_text()
    (backbone / "config.yaml").write_text(
        text.replace("evil:Evil", "naive").replace("backbone: auto", "backbone: evil:Evil")
    )
    for command in (
        ("evaluate", backbone, shop_log),
        ("export", backbone, "--out", tmp_path / "bundle"),
        ("evaluate", run, shop_log),
        ("export", run, "--out", tmp_path / "bundle"),
        ("calibrate", run, shop_log),
        ("train", shop_log, "--config", run / "config.yaml", "--out", tmp_path / "again"),
    ):
        done = postclick_with(site, *command)
        assert done.returncode == 2, command
        assert "not imported on a file's word" in done.stderr, command
        assert not mark.exists(), command
    assert postclick_with(site, "train", shop_log, "--method", "evil:Evil").returncode == 2
    done = postclick_with(
        site, "train", shop_log, "--method", "evil:Evil", "--out", tmp_path / "asked"
    )
    assert "evil:Evil is no method: it has to be a subclass of Method" in done.stderr
    assert mark.exists(), "the user asked for it"


def test_a_hostile_comparison_imports_nothing(
    shop_log: Path, postclick_with: Command, tmp_path: Path
) -> None:
    out, site, mark = tmp_path / "out", tmp_path / "site", tmp_path / "imported"
    site.mkdir()
    (site / "evil.py").write_text(f"open({str(mark)!r}, 'w').close()\nclass Evil: pass\n")
    compare = ("compare", shop_log, "--methods", "naive", "--seeds", "2", "--trials", "0")
    done = postclick_with(site, *compare, *SMALL, "--workers", "1", "--out", out)
    assert done.returncode == 0, done.stderr
    plan = json.loads((out / "plan.json").read_text())
    plan["settings"]["naive"]["method"] = "evil:Evil"
    (out / "plan.json").write_text(json.dumps(plan))
    for command in (("report", out), (*compare, *SMALL, "--workers", "1", "--out", out)):
        done = postclick_with(site, *command)
        assert done.returncode == 2, command
        assert done.stderr.count("\n") <= 3
        assert not mark.exists(), command


def test_a_package_that_is_not_there_cannot_be_let_in(postclick_with: Command) -> None:
    done = postclick_with(None, "--import", "nope", "methods")
    assert done.returncode == 2
    assert "--import nope: no such package is installed here" in done.stderr


def test_what_is_imported_already_is_checked_too() -> None:
    with pytest.raises(InputError, match="os:system is no method"):
        find_method("os:system")
    with pytest.raises(InputError, match="has no 'Nothing'"):
        find_method("os:Nothing")


def test_a_class_in_hand(small_log: PreparedLog, tmp_path: Path) -> None:
    settings = RunSettings.make(Phased, overrides=["epochs=2", "batch_size=512"])
    assert settings.method == "helpers.phased:Phased"
    assert title_of(settings.method) == "phased"
    run = postclick.train(small_log, settings, tmp_path / "run")
    assert run.method is Phased
    assert run.evaluate(small_log).value("cvr_nll") is not None


def test_a_class_of_a_notebook(small_log: PreparedLog, tmp_path: Path) -> None:
    class Local(Phased):
        name = "local"

    run = postclick.train(
        small_log,
        RunSettings.make(Local, overrides=["epochs=2", "batch_size=512"]),
        tmp_path / "run",
    )
    assert run.method is Local
    with pytest.raises(InputError, match="worker processes cannot import it"):
        postclick.compare(small_log, [Local], tmp_path / "out", seeds=2, workers=2, trials=0)

    def made() -> type[Phased]:
        class Twin(Phased):
            name = "twin"

        return Twin

    with pytest.raises(InputError, match="two classes lie at"):
        postclick.compare(small_log, [made(), made()], tmp_path / "out", seeds=2)
