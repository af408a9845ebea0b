"""What several tests share: small runs, toy optimisation problems."""
