"""From checked frames to the files of a prepared log."""
