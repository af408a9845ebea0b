"""The tables and figures of the two papers, measured on any prepared log."""

from postclick.experiments.reproduce.reproduction import Reproduction
from postclick.experiments.reproduce.run import EXPERIMENTS, find_experiment, reproduce

__all__ = ["EXPERIMENTS", "Reproduction", "find_experiment", "reproduce"]
