"""What trials vary of training and network, the same for every method."""

from postclick.ranges import Choice, Factor, Space, Times

# What the tuned table of `compare` varies, in the order of its draws.
COMPARED: dict[str, Space] = {
    "training.lr": Factor(0.3, 3.0),
    "training.weight_decay": Factor(0.1, 10.0),
    "network.dropout": Choice((0.0, 0.1, 0.3)),
    "network.embedding_dim": Choice((4, 8, 16)),
}
# What `tune` varies for every method. Towers have three layers: EVI can then match three.
SHARED: dict[str, Space] = {
    **COMPARED,
    "training.batch_size": Times((0.5, 1, 2)),
    "training.network_decay": Choice((0.0, 1e-6, 1e-5)),
    "network.tower": Choice(((64, 32, 16), (128, 64, 32), (256, 128, 64))),
}
# A trial may train this many times as long as is set, and stops after this many epochs without
# a better monitored metric: so length is tuned by keeping the best epoch.
LONGER = 2
PATIENCE = 1
