"""What the tests of searches share."""

from postclick.progress import Silent

# All but learning rate, dropout and the options are set: runs take a moment.
FAST = (
    "network.tower=[8]",
    "network.bottom=[]",
    "embedding_dim=4",
    "batch_size=2048",
    "epochs=1",
    "weight_decay=0.0001",
    "network_decay=0",
)


class Lines(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def line(self, text: str) -> None:
        self.said.append(text)
