"""Logistic regression on sparse rows with Gaussian priors, whose variances are estimated."""
