"""The networks: MobileNetV1, and models of a backbone with YOLO11n's neck and head."""
