"""A trained model for other engines than PyTorch: exported, checked against the original, and delivered."""
