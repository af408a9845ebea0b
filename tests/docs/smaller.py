"""What is changed in the commands of a page so that it runs in a minute.

Commands run as they are printed, with two kinds of changes, both listed here and nowhere else:
texts that are replaced, and options that a function around `postclick` gives after those on the
page. The last of an option given twice counts, and of two settings of the same name the later.
"""

from shlex import quote

from postclick.methods import BATCH_METHODS, METHODS

REPLACED = {
    # Two stand for all methods, one of which has heads of its own.
    "--methods all": "--methods naive,choruscvr",
    # Four countries in the same format.
    "for country in FR ES US NL;": "for country in NL;",
    # Each experiment runs in tests/papers/test_run.py.
    "for name in evi-table1 evi-table2 evi-fig2 evi-fig3;": "for name in evi-fig2;",
    # The copy of MovieLens-100K in an installed recbole: a small folder in the same format.
    "--source recbole": "--source ml-100k",
}

# Networks that take a second to train. Three layers, so that EVI can match three.
TINY = ("tower=[8,6,4]", "embedding_dim=4", "batch_size=4096", "threads=1", "epochs=1")
EXPERTS = ("experts=2", "expert_width=8")


def _sets(*settings: str) -> str:
    return " ".join(f"--set {quote(text)}" for text in settings)


GIVEN_LAST = {
    # Rates at which 4,000 rows have enough clicks and conversions in every world.
    "simulate": "--rows 4000 --ctr 0.25 --cvr 0.25",
    "train": _sets(*TINY),
    "distill": _sets(*TINY),
    "compare": f"--seeds 1 --trials 1 --workers 1 {_sets(*TINY)}",
    "tune": f"--trials 2 --workers 1 {_sets(*TINY)}",
    "reproduce": f"--seeds 1 --workers 1 {_sets(*TINY, *EXPERTS)}",
    # A network that was trained for a second may rank nothing, and only `best` leaves out what does
    # not fit it.
    "calibrate": "--kind best",
    "ceiling": "--rows 4000 --ctr 0.25 --cvr 0.25 --draws 1 --workers 1",
    "audit": "--methods naive --populations positive --workers 1",
}


def script(commands: str) -> str:
    """Bash that runs `commands`, made smaller, and stops at the first that fails."""
    for written, replaced in REPLACED.items():
        commands = commands.replace(written, replaced)
    cases = "\n".join(f'    {name}) set -- "$@" {more} ;;' for name, more in GIVEN_LAST.items())
    # Methods that fit themselves have no network that could be smaller.
    fitted = "|".join(name for name in METHODS if name not in BATCH_METHODS)
    whole = (
        f'if [[ " $* " =~ " --method "({fitted})["/ "] ]]; then command postclick "$@"; return; fi'
    )
    given = f'  case "$1" in\n{cases}\n  esac\n  command postclick "$@"'
    function = f"postclick() {{\n  {whole}\n{given}\n}}"
    return f"set -euo pipefail\n{function}\n{commands}"
