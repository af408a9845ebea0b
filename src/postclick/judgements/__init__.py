"""`postclick judge`: predictions, runs or bundles judged on a log, as a folder and a page."""
