"""The manifest as the dataset object that Ultralytics trains and validates with.

Ultralytics' own dataset class writes a label cache beside the images, overwrites damaged JPEGs, and loads .npy files
that lie beside the images. This one takes all labels from the manifest, and never writes into the dataset.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from ultralytics.data.augment import Albumentations
from ultralytics.data.dataset import YOLODataset

from mobileyolo.core.errors import DatasetError
from mobileyolo.core.records import Split
from mobileyolo.core.tables import Manifest


class SplitLabels:
    """Labels of one split in Ultralytics' format.

    Attributes:
        labels: one dictionary for each image, in the manifest's order; shape is (height, width), bboxes are xywhn.
        sha256: of each image's file when it was validated.
    """

    def __init__(self, manifest: Manifest, root: Path, split: Split) -> None:
        """Join images and boxes of one split.

        Raises:
            DatasetError: an image was deleted, or its file size has changed, since it was validated.
        """
        images = manifest.images[manifest.images["split"] == split]
        boxes = {str(image): own for image, own in manifest.boxes.groupby("image", sort=False)}
        no_boxes = manifest.boxes.iloc[:0]
        self.labels: list[dict[str, Any]] = []
        self.sha256: list[str] = images["sha256"].tolist()
        self._states: list[tuple[int, int]] = []
        for row in images.itertuples(index=False):
            file = root / str(row.image)
            state = _state(file)
            if state is None or state[0] != row.bytes:
                raise _changed(file)
            self._states.append(state)
            own = boxes.get(str(row.image), no_boxes)
            self.labels.append(
                {
                    "im_file": str(file),
                    "shape": (row.height, row.width),
                    "cls": own[["class_id"]].to_numpy(np.float32),  # (n, 1)
                    "bboxes": own[["x", "y", "w", "h"]].to_numpy(np.float32),  # (n, 4)
                    "segments": [],
                    "keypoints": None,
                    "normalized": True,
                    "bbox_format": "xywh",
                }
            )

    def check_unchanged(self) -> None:
        """Look at size and time of each file, after they were used.

        Raises:
            DatasetError: an image was deleted or written to since this object was made.
        """
        for label, state in zip(self.labels, self._states, strict=True):
            file = Path(label["im_file"])
            if _state(file) != state:
                raise _changed(file)


def _state(file: Path) -> tuple[int, int] | None:
    """Size in bytes and time of the last change in nanoseconds; None without such a file."""
    try:
        found = file.stat()
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def _changed(file: Path) -> DatasetError:
    return DatasetError(f"{file}: gone or changed since the dataset was validated; run dvc repro again")


@contextmanager
def without_traceback() -> Iterator[None]:
    """Let an error of ours that a loader's worker has raised be the sentence that it was there.

    PyTorch (2.14) puts the worker's whole traceback into the message.
    """
    try:
        yield
    except DatasetError as error:
        _, traced, sentence = str(error).rstrip().rpartition(f"{DatasetError.__module__}.{DatasetError.__name__}: ")
        if traced:
            raise DatasetError(sentence) from None
        raise


class ManifestDataset(YOLODataset):
    """Ultralytics' dataset; its argument img_path takes `SplitLabels` instead of folders."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # load_image would prefer an .npy file of the same name, and delete one that it can't read.
        self.npy_files = [Path("no-npy-cache")] * self.ni
        self._as_validated = [False] * self.ni

    def get_img_files(self, img_path: SplitLabels) -> list[str]:
        """Paths of the images."""
        return [label["im_file"] for label in img_path.labels]

    def get_labels(self) -> list[dict[str, Any]]:
        """Copies of the labels, because the dataset changes them."""
        return [dict(label) for label in self.img_path.labels]

    def load_image(self, i: int, *args: Any, **kwargs: Any) -> tuple[np.ndarray, tuple[int, int], tuple[int, int]]:
        """One image; before it is read for the first time, its file is compared with the one that was validated.

        Raises:
            DatasetError: it is another one.
        """
        if not self._as_validated[i]:
            file = Path(self.im_files[i])
            if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != self.img_path.sha256[i]:
                raise _changed(file)
            self._as_validated[i] = True
        loaded: tuple[np.ndarray, tuple[int, int], tuple[int, int]] = super().load_image(i, *args, **kwargs)
        return loaded

    def build_transforms(self, hyp: Any = None) -> Any:
        """Ultralytics' transforms without albumentations': they depend on whether that package is installed."""
        transforms = super().build_transforms(hyp)
        for transform in transforms.transforms:
            if isinstance(transform, Albumentations):
                transform.transform = None  # as where the package is missing
        return transforms


def dataset_dictionary(
    manifest: Manifest, names: tuple[str, ...], root: Path, splits: tuple[Split, ...]
) -> dict[str, Any]:
    """The dictionary that Ultralytics calls `data`: class names, channels, and for each split a `SplitLabels`."""
    return {
        "names": dict(enumerate(names)),
        "nc": len(names),
        "channels": 3,
        **{split: SplitLabels(manifest, root, split) for split in splits},
    }


def build_dataset(
    source: SplitLabels,
    settings: Any,
    data: dict[str, Any],
    *,
    batch: int,
    stride: int,
    augment: bool,
    square: bool = False,
) -> ManifestDataset:
    """A dataset with the same settings as one from Ultralytics' build_yolo_dataset (8.4).

    Args:
        source: the split's labels.
        settings: the trainer's or validator's arguments.
        data: a `dataset_dictionary`.
        batch: images in a batch; batches without augmentation are of images with similar aspect ratios.
        stride: the model's largest one; sides of a batch are multiples of it.
        augment: True for training; False for validation, in rectangles.
        square: pad every image to a square in validation too, as networks need it that take one shape.
    """
    return ManifestDataset(
        img_path=source,
        imgsz=settings.imgsz,
        batch_size=batch,
        augment=augment,
        hyp=settings,
        rect=not (augment or square),
        stride=stride,
        pad=0.0 if augment else 0.5,
        data=data,
        task="detect",
    )
