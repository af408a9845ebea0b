"""What selection costs and what labels cost, on a simulated world."""

from postclick.experiments.ceiling.cost import Cost
from postclick.experiments.ceiling.result import Ceiling
from postclick.experiments.ceiling.run_ceiling import ceiling

__all__ = ["Ceiling", "Cost", "ceiling"]
