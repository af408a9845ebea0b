"""The two papers, and what they state of how their experiments were run."""

from postclick.papers.experiment import Paper, Setting

ORDERINGS = (
    "Levels are not comparable between papers, nor between a paper and another log: ESMM's "
    "CVR-AUC on Ali-CCP is .5963 in ChorusCVR and .6703 in EVI. Compare orders."
)
OWN_READING = (
    "Every method is as its own paper defines it (`postclick methods`), on one backbone for all."
)

CHORUSCVR = Paper(
    name="ChorusCVR",
    reference="Cheng et al., ChorusCVR, 2025",
    backbone="share_bottom",
    settings=(
        Setting("training.keep", "best", "library default"),
        Setting("training.patience", "2", "library default"),
    ),
    notes=(
        ORDERINGS,
        OWN_READING,
        "The paper states a shared bottom (Eq. 1) and nothing else: no sizes, optimizer, batch, "
        "learning rate, epochs or repeats. How many passes is left to the validation split, by "
        "the same rule for every method.",
    ),
)

EVI = Paper(
    name="EVI",
    reference="Fei, Zhang, Li, EVI, AAAI 2025",
    backbone="mmoe",
    settings=(
        Setting("network.tower", "[128, 64, 32]", "authors' code"),
        Setting("network.experts", "8", "authors' code"),
        Setting("network.expert_width", "256", "authors' code"),
        Setting("network.expert_dropout", "0.3", "authors' code"),
        Setting("network.embedding_dim", "5", "authors' code"),
        Setting("network.numeric", "project", "authors' code"),
        Setting("training.optimizer", "exact_adam", "authors' code"),
        Setting("training.lr", "0.001", "authors' code"),
        Setting("training.weight_decay", "0.000001", "authors' code"),
        Setting("training.network_decay", "null", "authors' code"),
        Setting("training.batch_size", "8000", "authors' code"),
        Setting("training.epochs", "1", "authors' code"),
        Setting("training.average", "0", "authors' code"),
        Setting("training.keep", "last", "authors' code"),
        Setting("training.patience", "null", "authors' code"),
    ),
    notes=(
        ORDERINGS,
        OWN_READING,
        "The paper states experts and gates (Fig. 1), five runs and a t-test; the rest stands in "
        "an appendix that is not published with it, so the released code is followed. There "
        "EVI's towers have no dropout and the baselines' have [.1, .3, .3]; here none has any.",
        "One pass over the training rows; methods with a preparing phase (UKD) take one pass for "
        "each phase.",
    ),
)
