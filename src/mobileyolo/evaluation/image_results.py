"""A model's results on single images -> tables of all of them (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mobileyolo.core.records import TRUE_POSITIVE_COLUMNS
from mobileyolo.core.results import BOX_STEPS, BOXES_AN_IMAGE, CORNERS


@dataclass(frozen=True)
class ImageResult:
    """A model's result on one image: n predictions and m labelled boxes.

    Attributes:
        file: path of the image.
        width: pixels.
        height: pixels.
        true_positives: (n, 10), for each IoU threshold.
        confidences: (n,).
        predicted: (n,) class ids.
        predicted_boxes: (n, 4) xyxy in pixels of the image, within it.
        labelled: (m,) class ids.
        labelled_boxes: (m, 4), likewise.
    """

    file: str
    width: int
    height: int
    true_positives: np.ndarray
    confidences: np.ndarray
    predicted: np.ndarray
    predicted_boxes: np.ndarray
    labelled: np.ndarray
    labelled_boxes: np.ndarray


@dataclass(frozen=True)
class ResultTables:
    """The results on all images of a split.

    Attributes:
        images: as in `Statistics`.
        predictions: likewise, and x1, y1, x2, y2 (float32, pixels).
        targets: as in `Statistics`.
    """

    images: pd.DataFrame
    predictions: pd.DataFrame
    targets: pd.DataFrame

    @classmethod
    def of(cls, results: Sequence[ImageResult], root: Path) -> ResultTables:
        """Put the results together, images in order of path.

        Args:
            results: at least one.
            root: the dataset's folder.
        """
        named = sorted(
            ((Path(each.file).relative_to(root).as_posix(), each) for each in results), key=lambda pair: pair[0]
        )
        names, results = zip(*named, strict=True)
        confidences = np.concatenate([each.confidences for each in results])
        image = _image_of_row([each.confidences.size for each in results])
        order = np.lexsort((-confidences, image))
        true_positives = np.concatenate([each.true_positives for each in results])[order]
        corners = np.concatenate([each.predicted_boxes for each in results])[order]
        labelled_corners = np.concatenate([each.labelled_boxes for each in results])
        return cls(
            images=pd.DataFrame(
                {
                    "image": names,
                    "width": np.array([each.width for each in results], dtype=np.int32),
                    "height": np.array([each.height for each in results], dtype=np.int32),
                }
            ),
            predictions=pd.DataFrame(
                {
                    "image": image,
                    "class_id": np.concatenate([each.predicted for each in results])[order],
                    "confidence": confidences[order],
                    **dict(zip(TRUE_POSITIVE_COLUMNS, true_positives.T, strict=True)),
                    **dict(zip(CORNERS, corners.T, strict=True)),
                }
            ),
            targets=pd.DataFrame(
                {
                    "image": _image_of_row([each.labelled.size for each in results]),
                    "class_id": np.concatenate([each.labelled for each in results]),
                    **dict(zip(CORNERS, labelled_corners.T, strict=True)),
                }
            ),
        )

    def most_confident(self) -> pd.DataFrame:
        """The BOXES_AN_IMAGE most confident predictions of each image."""
        return self.predictions[self.predictions.groupby("image").cumcount() < BOXES_AN_IMAGE]

    def boxes(self) -> pd.DataFrame:
        """The boxes of these predictions as `Statistics` keeps them: whole steps of the image's width and height."""
        kept = self.most_confident()
        sizes = self.images.loc[kept["image"], ["width", "height", "width", "height"]].to_numpy(np.float64)
        steps = (kept[list(CORNERS)].to_numpy(np.float64) / sizes * BOX_STEPS).round().astype(np.uint16)
        return pd.DataFrame({"row": kept.index.to_numpy(np.int32), **dict(zip(CORNERS, steps.T, strict=True))})


def _image_of_row(counts: Sequence[int]) -> np.ndarray:
    """The image's number for each row, given the rows of each image."""
    return np.repeat(np.arange(len(counts), dtype=np.int32), counts)
