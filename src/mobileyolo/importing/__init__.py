"""Foreign datasets -> a YOLO dataset that validation accepts: `python -m mobileyolo import`."""
