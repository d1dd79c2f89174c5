"""One arm's training."""
