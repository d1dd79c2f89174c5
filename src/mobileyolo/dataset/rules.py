"""The section `validate` of params.yaml: which faults stop the pipeline, and where warnings begin."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from mobileyolo.core.config import Section, Share


class Tolerance(Section):
    """Share of rows up to which a kind of fault is a warning; above it, it is an error."""

    unreadable_image: Share
    mismatched_extension: Share
    missing_label: Share
    orphan_label: Share
    duplicate_stem: Share
    malformed_line: Share
    class_out_of_range: Share
    coordinate_out_of_range: Share
    zero_size_box: Share
    duplicate_box: Share
    image_in_two_splits: Share


class Limits(Section):
    """Where one row begins to offend, and the share of rows up to which that isn't mentioned."""

    limit: float
    share: Share


class Count(Limits):
    """A limit that counts."""

    limit: Annotated[float, Field(ge=0)]


class Part(Limits):
    """A limit that is a part of a whole."""

    limit: Share


class Ratio(Limits):
    """A limit that is a ratio of the larger to the smaller."""

    limit: Annotated[float, Field(ge=1)]


class Overlap(Limits):
    """A limit that is an IoU; lesser ones than a half aren't looked for."""

    limit: Annotated[float, Field(ge=0.5, le=1)]


class HashBits(Limits):
    """A limit in bits of a perceptual hash; images that differ in more aren't looked for."""

    limit: Annotated[int, Field(ge=0, le=4)]


class Quality(Section):
    """What is remarked on without stopping the pipeline, kind by kind."""

    missing_class: Count  # boxes
    scarce_class: Count  # images
    rare_class: Part  # of the most frequent class's boxes
    class_shift: Part  # total variation distance
    size_shift: Part  # Kolmogorov-Smirnov distance
    brightness_shift: Part  # Kolmogorov-Smirnov distance
    few_scenes: Count
    near_duplicate_in_split: HashBits
    near_duplicate_across_splits: HashBits
    background_image: Count  # boxes
    crowded_image: Count  # boxes
    long_image: Ratio
    dark_image: Part
    bright_image: Part
    blurred_image: Count  # sharpness, as in dataset.images
    blank_image: Part  # contrast, as in dataset.images
    tiny_box: Part  # of the image, each way
    huge_box: Part  # of the image's area
    box_at_border: Count  # pixels
    elongated_box: Ratio
    odd_size_for_class: Count  # modified z-score
    odd_shape_for_class: Count  # modified z-score
    overlapping_box: Overlap
    contested_box: Overlap
    mixed_label_file: Count  # lines


class ValidationRules(Section):
    """What validation lets through, and what it warns about."""

    key: ClassVar[str] = "validate"

    slack: Share  # of the image's side that a box may stick out by
    tolerance: Tolerance
    quality: Quality
