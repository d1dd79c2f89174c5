"""The networks: MobileNetV1, and how a backbone gets under YOLO11n's neck and head."""
