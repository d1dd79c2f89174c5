"""Datasets: finds and reads YOLO folders, and judges them."""
