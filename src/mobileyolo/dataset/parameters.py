"""The section `validate` of params.yaml: which faults stop the pipeline, and what gives a warning; and `data.group`."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from mobileyolo.core.config import Section, Share


class Tolerance(Section):
    """For each kind of fault: in a larger share of the rows it is an error, else a warning."""

    unreadable_image: Share
    mismatched_extension: Share
    missing_label: Share
    misspelt_label: Share
    ambiguous_label: Share
    unreadable_label: Share
    orphan_label: Share
    duplicate_stem: Share
    malformed_line: Share
    class_out_of_range: Share
    coordinate_out_of_range: Share
    negative_size_box: Share
    box_beyond_image: Share
    zero_size_box: Share
    duplicate_box: Share
    image_in_two_splits: Share


class Limits(Section):
    """A row offends beyond the limit; if a larger share of the rows offends, there is a warning."""

    limit: float
    share: Share


class Count(Limits):
    """A limit that is a count or another number from 0."""

    limit: Annotated[float, Field(ge=0)]


class Part(Limits):
    """A limit that is a share, 0 to 1."""

    limit: Share


class Ratio(Limits):
    """A limit that is a ratio, larger / smaller."""

    limit: Annotated[float, Field(ge=1)]


class Overlap(Limits):
    """A limit that is an IoU; smaller ones than 0.5 are not looked for."""

    limit: Annotated[float, Field(ge=0.5, le=1)]


class HashBits(Limits):
    """A limit in bits of a perceptual hash; images that differ in more than 4 are not looked for."""

    limit: Annotated[int, Field(ge=0, le=4)]


class Quality(Section):
    """What gives a warning and never stops the pipeline, kind by kind."""

    missing_class: Count  # boxes
    scarce_class: Count  # images
    rare_class: Part  # of the boxes of the most frequent class
    class_shift: Part  # total variation distance
    size_shift: Part  # Kolmogorov-Smirnov distance
    brightness_shift: Part  # Kolmogorov-Smirnov distance
    few_scenes: Count
    near_duplicate_in_split: HashBits
    near_duplicate_across_splits: HashBits
    group_in_two_splits: Count  # splits
    background_image: Count  # boxes
    crowded_image: Count  # boxes
    long_image: Ratio
    dark_image: Part
    bright_image: Part
    blurred_image: Count  # sharpness, as in dataset.images
    blank_image: Part  # contrast, as in dataset.images
    tiny_box: Part  # of the image's side
    huge_box: Part  # of the image's area
    box_at_border: Count  # pixels
    elongated_box: Ratio
    odd_size_for_class: Count  # modified z-score
    odd_shape_for_class: Count  # modified z-score
    overlapping_box: Overlap
    contested_box: Overlap
    mixed_label_file: Count  # lines


class ValidationRules(Section):
    """What validation tolerates, and what it warns about."""

    key: ClassVar[str] = "validate"

    slack: Share  # of the image's side: a box may reach beyond the image by so much
    tolerance: Tolerance
    quality: Quality


def _regular_expression(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"neither none nor a regular expression: {error}") from None
    return text


class Grouping(Section):
    """Which images belong together, such as the frames of a video."""

    key: ClassVar[str] = "data"
    whole: ClassVar[bool] = False  # the other key is in core/config.py

    group: Annotated[str, Field(min_length=1), AfterValidator(_regular_expression)]  # or `none`
