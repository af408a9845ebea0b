"""What will make a run wait or be slow, said before it begins."""

from postclick.optim.adam_kernel import step_rows
from postclick.progress import Reporter
from postclick.system.compiled import is_kept
from postclick.system.threads import cores


def warn_of_speed(threads: int | None, reporter: Reporter) -> None:
    """Say what will make this run wait or be slow, if anything does."""
    if threads is not None and threads > cores():
        reporter.line(
            f"warning: threads={threads} on {cores()} cores: they wait for each other, and "
            f"threads={cores()} is faster"
        )
    kept = is_kept(step_rows)
    if kept is False:
        reporter.line("compiling the optimizer, once: some ten seconds")
    elif kept is None:
        reporter.line(
            "warning: compiling the optimizer, some ten seconds in every process: there is no "
            "folder to keep it in, name one in NUMBA_CACHE_DIR"
        )
