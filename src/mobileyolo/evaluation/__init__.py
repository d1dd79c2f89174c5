"""A trained model, measured on the held-out split."""
