"""Simulated logs whose true CVR is known for every impression."""

from postclick.datasets.simulated.log import SimulatedLog, simulate, write_simulated
from postclick.datasets.simulated.oracle import oracle_figures
from postclick.datasets.simulated.worlds import WORLDS, get_world

__all__ = [
    "WORLDS",
    "SimulatedLog",
    "get_world",
    "oracle_figures",
    "simulate",
    "write_simulated",
]
