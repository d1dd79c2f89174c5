"""Datasets in other formats -> a YOLO dataset that validation accepts: `mobileyolo import`."""
