"""Which extra of this package installs which third-party package, by the name that is imported.

`pip install mobileyolo` brings the drop-in only. Who uses more without its extra is told which one is missing: by
`mobileyolo` itself (`commands.main`), and in a stage of dvc.yaml, see `endings`.
"""

from __future__ import annotations

EXTRAS = {
    "validate": (
        "PIL",
        "babel",
        "cv2",
        "defusedxml",
        "great_expectations",
        "imagehash",
        "jinja2",
        "joblib",
        "markupsafe",
        "matplotlib",
        "numpy",
        "pandas",
        "platformdirs",
        "psutil",
        "pyarrow",
        "pydantic",
        "scipy",
        "simplejpeg",
        "sklearn",
        "tqdm",
        "yaml",
    ),
    "pipeline": (
        "alembic",
        "dvc",
        "faster_coco_eval",
        "filelock",
        "mlflow",
        "onnx",
        "onnxruntime",
        "onnxslim",
        "requests",
        "rich",
        "sqlalchemy",
        "urllib3",
    ),
    "imagenet": ("h5py", "safetensors", "timm"),
    "export": ("ncnn", "nncf", "openvino", "pnnx"),
    "ray": ("dvc_s3", "ray"),
}


def advice(module: str, needed: str = "validate") -> str | None:
    """What to say of a module that can't be found, None if no extra brings it.

    >>> advice("great_expectations.core")
    "great_expectations is not installed; pip install 'mobileyolo[validate]'"
    >>> advice("pandas", needed="pipeline")
    "pandas is not installed; pip install 'mobileyolo[pipeline]'"

    Args:
        module: its name.
        needed: the extra that whoever imported it needs in any case; each brings `validate`.
    """
    package = module.partition(".")[0]
    for extra, packages in EXTRAS.items():
        if package in packages:
            return f"{package} is not installed; pip install 'mobileyolo[{needed if extra == 'validate' else extra}]'"
    return None
