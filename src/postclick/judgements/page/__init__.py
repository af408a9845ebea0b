"""The HTML page of a judgement: one light file, without scripts, the answer first."""
