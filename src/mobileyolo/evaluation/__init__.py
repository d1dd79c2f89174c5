"""Metrics of a trained model on the held-out split."""
