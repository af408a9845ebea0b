"""`compare`: methods x seeds on one log, judged on held-out rows."""
