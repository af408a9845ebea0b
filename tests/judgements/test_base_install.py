"""`judge` needs nothing beyond the base install."""

import subprocess
import sys

CODE = """
import sys
# As where these are not installed.
for name in ("torch", "scipy", "sklearn", "numba", "jinja2", "plotly", "safetensors"):
    sys.modules[name] = None
import polars as pl
import postclick
log = pl.DataFrame({
    "click": [1, 1, 0, 1] * 50, "conversion": [0, 1, 0, 0] * 50,
    "user": [k // 4 for k in range(200)],
    "pctr_a": [0.5, 0.8, 0.2, 0.6] * 50, "pcvr_a": [0.2, 0.6, 0.1, 0.2] * 50,
    "pctr_b": [0.4, 0.7, 0.3, 0.5] * 50, "pcvr_b": [0.3, 0.5, 0.1, 0.3] * 50,
    "shop": ["x", "y"] * 100, "position": [1, 2, 2, 3] * 50, "true": [0.2, 0.5, 0.1, 0.2] * 50,
})
found = postclick.judge(
    log, group="user", by=["shop"], exposure="position", propensity="pctr", features=["shop"],
    true_cvr="true", resamples=40,
)
print(found.answer.sentence)
from typer.testing import CliRunner
from postclick.cli import app
log.write_csv(sys.argv[1] + "/log.csv")
done = CliRunner().invoke(app, ["judge", sys.argv[1] + "/log.csv", "--by", "shop"])
assert done.exit_code == 0, done.output
loaded = {name.partition(".")[0] for name, module in sys.modules.items() if module is not None}
print("LOADED", *sorted(loaded & {"torch", "scipy", "sklearn", "numba"}))
"""


def test_judging_loads_no_package_of_an_extra(tmp_path: object) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("LOADED\n"), done.stdout
    assert "`a`" in done.stdout
