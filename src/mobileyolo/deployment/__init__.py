"""A trained model for engines other than PyTorch: exported, and checked against the original."""
