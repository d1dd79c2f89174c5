"""What is wrong with a dataset: an error if it is in a larger share of the rows than `validate.tolerance` allows."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mobileyolo.dataset.finding_kinds import Accepted, Audited, Kind, inside, nothing, shares
from mobileyolo.dataset.folders import suffix
from mobileyolo.dataset.layout import IMAGE_FORMATS, label_of


def _first_mention(images: pd.DataFrame) -> pd.Series:
    """Rows that mention a file first: a file in two splits is counted once."""
    return ~images["image"].duplicated()


def _readable(images: pd.DataFrame) -> pd.DataFrame:
    return images[images["read_error"].isna()]


def _read_error(audited: Audited) -> pd.Series:
    return audited.images["read_error"].where(_first_mention(audited.images), None)


def _mismatched_format(audited: Audited) -> pd.Series:
    readable = _readable(audited.images)
    named = [IMAGE_FORMATS[suffix(image)] for image in readable["image"].tolist()]
    mismatched = (named != readable["format"]) & _first_mention(readable)
    return readable["format"].where(mismatched).reindex(audited.images.index)


def _judged(images: pd.DataFrame) -> pd.Series:
    """Rows whose label matters: what can't be read is left out anyway."""
    return images["read_error"].isna() & _first_mention(images)


def _readable_images(audited: Audited) -> pd.Series:
    splits = audited.splits
    return splits["readable"].astype("float64").where(splits["absent"].isna())


def _labelled_images(audited: Audited) -> pd.Series:
    splits = audited.splits
    return splits["labelled"].astype("float64").where(splits["readable"] > 0)


def _has_label(audited: Audited) -> pd.Series:
    images, splits = audited.images, audited.splits
    without_any = splits.loc[splits["labelled"] == 0, "split"]
    named = images["image"].isin(list(audited.data.ambiguous)) | images["split"].isin(without_any)
    return images["label_exists"].astype("float64").where(_judged(images) & ~named)


def _other_spelling(audited: Audited) -> pd.Series:
    images = audited.images
    spelt = images["label"] != images["image"].map(label_of)
    return images["label"].where(spelt & images["label_exists"] & _judged(images))


def _possible_labels(audited: Audited) -> pd.Series:
    images = audited.images
    listed = {image: " or ".join(labels) for image, labels in audited.data.ambiguous.items()}
    return images["image"].map(listed).where(_judged(images))


def _whole_file(boxes: pd.DataFrame) -> pd.Series:
    """Rows that stand for a label file that can't be read: they quote no line."""
    return boxes["parse_error"].notna() & (boxes["text"] == "")


def _label_error(audited: Audited) -> pd.Series:
    images, boxes = audited.images, audited.boxes
    unread = boxes[_whole_file(boxes)]
    reasons = (unread["label"] + ": " + unread["parse_error"]).set_axis(unread["image"])
    return images["image"].map(reasons).where(_judged(images))


def _parse_error(audited: Audited) -> pd.Series:
    boxes = audited.boxes
    return boxes["parse_error"].where(~_whole_file(boxes))


def _has_image(audited: Audited) -> pd.Series:
    return audited.labels["has_image"].astype("float64")


def _stem_twin(audited: Audited) -> pd.Series:
    """An earlier image of the same split and folder whose name differs only in extension or case."""
    images = audited.images
    first = images.groupby(["split", images["label"].str.casefold()])["image"].transform("first")
    return first.where(first != images["image"])


def _first_of_pixels(audited: Audited) -> pd.DataFrame:
    """The first image with each pixel digest, by that digest."""
    return _readable(audited.images).drop_duplicates("pixels").set_index("pixels")


def _twin_in_another_split(audited: Audited) -> pd.Series:
    """The image of an earlier split that has the same bytes or the same pixels."""
    readable, first = _readable(audited.images), _first_of_pixels(audited)
    split, image = (readable["pixels"].map(first[column]) for column in ("split", "image"))
    return (split + " as " + image).where(split != readable["split"]).reindex(audited.images.index)


def _twin(audited: Audited, rows: pd.Index) -> Mapping[str, pd.Series]:
    """The same image in the earlier split."""
    return {"twin": audited.images.loc[rows, "pixels"].map(_first_of_pixels(audited)["image"])}


def _are_shares(audited: Audited) -> pd.Series:
    boxes = audited.boxes
    return shares(boxes, audited.slack).astype("float64").where(boxes["parse_error"].isna())


def _smaller_size(audited: Audited) -> pd.Series:
    boxes = audited.boxes
    return boxes[["w", "h"]].min(axis=1).where(shares(boxes, audited.slack))


def _size_from_zero(audited: Audited) -> pd.Series:
    size = _smaller_size(audited)
    return size.where(size >= 0)


def _size_inside(audited: Audited) -> pd.Series:
    return _size_from_zero(audited).where(inside(audited.boxes, audited.slack))


def _earlier_line(audited: Audited) -> pd.Series:
    """The first line of the same label file with the same numbers."""
    boxes = audited.boxes[audited.boxes["parse_error"].isna()]
    first = boxes.groupby(["image", "key"], sort=False)["line"].transform("first")
    return first.where(first < boxes["line"]).reindex(audited.boxes.index)


def _as_line(audited: Audited, rows: pd.Index) -> Mapping[str, pd.Series]:
    """The numbers of a line as text."""
    boxes = audited.boxes.loc[rows, ["class_id", "x", "y", "w", "h"]]
    return {"numbers": boxes.apply(lambda row: " ".join(f"{number:g}" for number in row), axis=1)}


FAULTS = (
    Kind(
        name="empty_split",
        table="splits",
        measure=_readable_images,
        accepts=lambda _audited, _limit: Accepted(low=1),
        description="Train, val and, if it is declared, test have at least one readable image each.",
        remedy="check the split's folder in data.yaml, and move some images there",
        shown="{images} images, none readable",
    ),
    Kind(
        name="unlabelled_split",
        table="splits",
        measure=_labelled_images,
        accepts=lambda _audited, _limit: Accepted(low=1),
        description="Each split has label files.",
        remedy="put the label files into labels/ beside images/; a test split without any needs evaluate.split: val",
        shown="{images} images, none with a label file",
    ),
    Kind(
        name="unused_test",
        table="splits",
        measure=lambda audited: audited.splits["absent"],
        accepts=nothing,
        description="A test split that is declared has images and labels, even if no stage measures on it.",
        remedy="correct its path in data.yaml or delete the key test; without it the models are measured on val",
        shown="{value}",
        drops=True,
    ),
    Kind(
        name="unreadable_image",
        table="images",
        measure=_read_error,
        accepts=nothing,
        description="Every image can be decoded to its last pixel, in a format and a size that can be trained on.",
        remedy="export or download the image again, or delete it with its label",
        shown="{read_error}",
        drops=True,
    ),
    Kind(
        name="mismatched_extension",
        table="images",
        measure=_mismatched_format,
        accepts=nothing,
        description="Every image's file extension names the format of its content.",
        remedy="rename the file: some programs trust the extension, and fail or read something else",
        shown="is {format}",
    ),
    Kind(
        name="missing_label",
        table="images",
        measure=_has_label,
        accepts=lambda _audited, _limit: Accepted(low=1),
        description="Every image has a label file.",
        remedy="add the label file; an image without objects has an empty one",
        shown="no {label}; counts as background",
    ),
    Kind(
        name="misspelt_label",
        table="images",
        measure=_other_spelling,
        accepts=nothing,
        description="Every label file's name is spelt as its image's: Unicode normal form, case, escapes such as %20.",
        remedy="rename one of them; here they are paired, because only these two can be meant, but other tools do not",
        shown="its label is {value}",
    ),
    Kind(
        name="ambiguous_label",
        table="images",
        measure=_possible_labels,
        accepts=nothing,
        description="No image has several label files, and no label file several images, that differ only in spelling.",
        remedy="rename the label file that belongs to the image as the image is, and delete what is not needed",
        shown="could be {value}; counts as background",
    ),
    Kind(
        name="unreadable_label",
        table="images",
        measure=_label_error,
        accepts=nothing,
        description="Every label file can be read: a regular file of UTF-8 text, within the limits of size and lines.",
        remedy="save it again as plain text; until then its image is left out, because nobody knows what it shows",
        shown="{value}",
        drops=True,
    ),
    Kind(
        name="orphan_label",
        table="labels",
        measure=_has_image,
        accepts=lambda _audited, _limit: Accepted(low=1),
        description="Every label file has an image.",
        remedy="put the image back, or delete the label file; but for the ending, both names must be equal",
        shown="no image of that name in any split",
    ),
    Kind(
        name="duplicate_stem",
        table="images",
        measure=_stem_twin,
        accepts=nothing,
        description="No two images of a folder differ only in extension or case: they would share a label file.",
        remedy="rename or delete one of them, and its label with it",
        shown="the same name as {value}",
        context=lambda audited, rows: {"twin": _stem_twin(audited).loc[rows]},
    ),
    Kind(
        name="image_in_two_splits",
        table="images",
        measure=_twin_in_another_split,
        accepts=nothing,
        description="No image is in two splits, not even under another name or saved again with the same pixels.",
        remedy="delete it from one of the splits: a model must not be measured on images that it was trained on",
        shown="in {split}, and in {value}",
        context=_twin,
    ),
    Kind(
        name="malformed_line",
        table="boxes",
        measure=_parse_error,
        accepts=nothing,
        description="Every label line is `class x y w h`, or a class and the points of a polygon.",
        remedy="correct or delete the line",
        shown="{parse_error}: {text!r:.80}",
        drops=True,
    ),
    Kind(
        name="class_out_of_range",
        table="boxes",
        measure=lambda audited: audited.boxes["class_id"],
        accepts=lambda audited, _limit: Accepted(low=0, high=len(audited.data.names) - 1),
        description="Every class id has a name; ids start at 0.",
        remedy="correct the id, or add the class to the names",
        shown="class {class_id:g}",
        drops=True,
    ),
    Kind(
        name="coordinate_out_of_range",
        table="boxes",
        measure=_are_shares,
        accepts=lambda _audited, _limit: Accepted(low=1),
        description="Coordinates and sizes are shares of the image's sides, 0 to 1; validate.slack may be missing.",
        remedy="divide pixels by the image's width and height",
        shown="x {x:g}, y {y:g}, w {w:g}, h {h:g}",
        drops=True,
    ),
    Kind(
        name="negative_size_box",
        table="boxes",
        measure=_smaller_size,
        accepts=lambda _audited, _limit: Accepted(low=0),
        description="No box has a negative width or height; Ultralytics ignores the whole image for one.",
        remedy="find out which corners were swapped, in the export or its script, and write the labels again",
        shown="w {w:g}, h {h:g}",
        drops=True,
    ),
    Kind(
        name="box_beyond_image",
        table="boxes",
        measure=_size_from_zero,
        accepts=lambda audited, _limit: Accepted(box_slack=audited.slack),
        description="No box reaches beyond its image by more than validate.slack of its sides.",
        remedy="clip the box to the image",
        shown="x {x:g}, y {y:g}, w {w:g}, h {h:g}",
        drops=True,
    ),
    Kind(
        name="zero_size_box",
        table="boxes",
        measure=_size_inside,
        accepts=lambda _audited, _limit: Accepted(above=0),
        description="Every box has a width and a height above 0.",
        remedy="draw the box again or delete the line",
        shown="w {w:g}, h {h:g}",
        drops=True,
    ),
    Kind(
        name="duplicate_box",
        table="boxes",
        measure=_earlier_line,
        accepts=nothing,
        description="No label file has the same line twice.",
        remedy="delete all but one of the lines",
        shown="the same as line {value:g}: {numbers}",
        drops=True,
        context=_as_line,
    ),
)
