"""The models of a study, side by side."""
