"""EVI, Fig. 3: the weight of VIE and the number of transfer layers."""

from collections.abc import Sequence

from postclick.experiments.comparison.plan import Arm
from postclick.papers.claims import rising
from postclick.papers.experiment import Column, Entry, Experiment
from postclick.papers.judged import JudgedRun
from postclick.papers.measures import metric
from postclick.papers.panels import Panel, column_panel
from postclick.papers.papers import EVI
from postclick.papers.results import HIGHER, Results

# The library's defaults, kept while the other one varies.
WEIGHT, LAYERS = 0.8, 3
WEIGHTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def entry(weight: float, layers: int) -> Entry:
    """EVI with this VIE weight and K; settings given for all arms do not change them."""
    label = f"evi, VIE weight {weight:g}, K {layers}"
    options = (f"options.vie_weight={weight}", f"options.transfer_layers={layers}")
    return Entry("EVI", Arm(label, "evi", options), (f"{weight:g}", str(layers)))


BY_WEIGHT = {entry(weight, LAYERS).arm.label: weight for weight in WEIGHTS}
BY_LAYERS: dict[str, float] = {entry(WEIGHT, layers).arm.label: layers for layers in (1, 2, LAYERS)}


def panels(results: Results, runs: Sequence[JudgedRun]) -> tuple[Panel, ...]:
    """CVR-AUC by VIE weight and by K."""
    return tuple(
        panel
        for x, arms in (("VIE weight", BY_WEIGHT), ("K, transfer layers", BY_LAYERS))
        for panel in column_panel(
            f"CVR-AUC by {x}", (x, "CVR-AUC"), "line", results, "cvr_auc", arms
        )
    )


EXPERIMENT = Experiment(
    name="evi-fig3",
    paper=EVI,
    where="Figure 3",
    what="CVR-AUC on clicked rows by VIE weight and by number K of transfer layers",
    marks=("VIE weight", "K"),
    entries=(
        *(entry(weight, LAYERS) for weight in WEIGHTS),
        *(entry(WEIGHT, layers) for layers in (1, 2)),
    ),
    columns=(Column("cvr_auc", "CVR-AUC", metric("cvr_auc", "clicked"), HIGHER),),
    claims=(
        rising("CVR-AUC rises with the VIE weight up to 1", "cvr_auc", BY_WEIGHT),
        rising("CVR-AUC rises with the number of transfer layers", "cvr_auc", BY_LAYERS),
    ),
    notes=(
        "The paper gives the figure without numbers and names no grid. Rising is tested as the "
        "least-squares slope of each seed's AUC being above 0.",
        "The paper itself says that AE-NL shows the opposite trend in the VIE weight.",
        f"The weight varies at K = {LAYERS}, K at a weight of {WEIGHT}: this library's defaults.",
        "K counts matched tower layers from the last one down.",
    ),
    panels=panels,
)
