"""A study: a grid of comparisons, each one an experiment."""
