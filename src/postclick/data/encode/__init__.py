"""Values to ids and numbers, fitted on training rows, the same in training and scoring."""
