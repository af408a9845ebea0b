"""A package of somebody else's: a method, a soft-label method, a backbone, a metric, a data set."""
