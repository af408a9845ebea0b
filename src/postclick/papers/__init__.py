"""The tables and figures of the two papers, measured on any prepared log."""

from postclick.papers.reproduction import Reproduction
from postclick.papers.run import EXPERIMENTS, find_experiment, reproduce

__all__ = ["EXPERIMENTS", "Reproduction", "find_experiment", "reproduce"]
