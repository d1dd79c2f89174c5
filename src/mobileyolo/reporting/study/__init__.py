"""The page of a study: its models side by side."""
