"""Is MobileNetV1 a better backbone than the stock one for YOLO11, on your data?"""
