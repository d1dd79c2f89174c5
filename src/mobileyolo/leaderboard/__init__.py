"""What was tried, and how good it is: the runs of a store -> tables of what is comparable (pure)."""
