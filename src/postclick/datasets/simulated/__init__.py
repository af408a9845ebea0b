"""Simulated logs whose true CVR is known for every impression."""

from postclick.datasets.simulated.log import SimulatedLog, simulate
from postclick.datasets.simulated.worlds import WORLDS, World, get_world
from postclick.datasets.simulated.writing import write_simulated

__all__ = ["WORLDS", "SimulatedLog", "World", "get_world", "simulate", "write_simulated"]
