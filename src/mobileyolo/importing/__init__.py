"""Datasets in other formats -> a YOLO dataset that validation accepts: `python -m mobileyolo import`."""
