"""The training of one arm with one seed."""
