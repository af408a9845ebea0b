"""One plain network that predicts what a run does, and how far the two agree."""
