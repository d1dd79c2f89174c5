"""Datasets: finding and reading YOLO folders, what is expected of them, and the generated default."""
