"""What validation found, and what the dataset looks like, as one self-contained HTML page."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from mobileyolo.core.files import ValidationFiles, write_text
from mobileyolo.core.records import SUITES, DatasetCard, Severity, Split
from mobileyolo.core.tables import Manifest
from mobileyolo.dataset.findings import Finding, Offender, docs_page, verdict_of
from mobileyolo.reporting.dataset.samples import choose_samples
from mobileyolo.reporting.shared.cells import Table
from mobileyolo.reporting.shared.pages import render_template, shown
from mobileyolo.reporting.shared.thumbnails import Box, Picture, take

BoxCounts = Mapping[Split, NDArray[np.int64]]  # by class id, for each split

TEMPLATE = "dataset/page.html.j2"
SAMPLES_A_SPLIT = 4
MOST_CASES = 48  # pictures of offenders, all findings together
MOST_CASES_A_FINDING = 6
MOST_PLACES = 60  # lines of a finding that are listed; findings.csv has all
OPEN_PLACES = 10  # of these, shown without unfolding
MOST_OPEN_CLASSES = 20  # a longer table of classes starts folded
CLASS_COLOURS = 12  # that the page's style has for boxes
LEAST_OUTLINE = 0.12  # of the view: smallest outline of an offending box
MOST_BOXES = 400  # that are drawn in one picture
LONGEST_NAME = 60  # characters
# Pixels of the longer side, and bytes of the JPEG; they keep the page under 3 MB.
SAMPLE_SIZE = (560, 55_000)
CASE_SIZE = (320, 22_000)


@dataclass(frozen=True)
class Layer:
    """The boxes of one class in a picture; outline is an SVG path."""

    colour: int
    name: str
    count: int
    outline: str


@dataclass(frozen=True)
class Sample:
    """A sample image of a split."""

    image: str
    picture: Picture
    layers: tuple[Layer, ...]
    left_out: int  # boxes beyond MOST_BOXES


@dataclass(frozen=True)
class Case:
    """An offender with its picture; outlines are SVG paths."""

    place: str
    value: str
    picture: Picture
    outline: str  # of the offending box
    others: str  # of the other boxes of the image
    off_picture: bool  # is the box too far outside of the image to be shown?
    twin: Picture | None  # of the image that it is compared with


@dataclass(frozen=True)
class FindingSection:
    """A finding as the page shows it."""

    finding: Finding
    outcome: str
    cases: tuple[Case, ...]
    places: tuple[tuple[str, str], ...]  # and values, of offenders without a picture
    unlisted: int

    @property
    def scale(self) -> float:
        """The share at the end of the bar."""
        return min(1.0, 1.25 * max(self.finding.share, self.finding.tolerance))


def write_page(
    files: ValidationFiles, root: Path, findings: Sequence[Finding], card: DatasetCard, manifest: Manifest
) -> None:
    """Write index.html. It has no time and no absolute path, so the same dataset gives the same bytes.

    Args:
        files: Where the page goes; it links to Data Docs if there are any.
        root: The dataset's folder, for its pictures; only the few that are shown are read.
        findings: What was found.
        card: What the dataset was found to be.
        manifest: Its clean rows.
    """
    write_text(files.page, render(files, root, findings, card, manifest))


def render(
    files: ValidationFiles, root: Path, findings: Sequence[Finding], card: DatasetCard, manifest: Manifest
) -> str:
    """The page, with its style, figures and pictures in it.

    Args:
        files: Where the page will lie, and what it links to.
        root: The dataset's folder.
        findings: What was found.
        card: What the dataset was found to be.
        manifest: Its clean rows.
    """
    names = [shown(name, LONGEST_NAME) for name in card.names]
    images = manifest.images.drop_duplicates(["split", "image"])
    boxes = manifest.boxes.merge(images[["image", "split", "width", "height"]], on="image")
    class_ids = boxes["class_id"].astype("int64")
    counts = {split: np.bincount(class_ids[boxes["split"] == split], minlength=len(names)) for split in card.splits}
    an_image = boxes.groupby(["split", "image"]).size().rename("boxes")
    images = images.join(an_image, on=["split", "image"]).fillna({"boxes": 0}).astype({"boxes": "int64"})

    samples = choose_samples(images, boxes, SAMPLES_A_SPLIT)
    allowance = _allowance(findings)
    pictured = {offender.image for finding in findings for offender in _pictured(finding, allowance)}
    wanted = pictured.union(*samples.values())
    own = manifest.boxes[manifest.boxes["image"].isin(wanted)]
    by_image = {str(image): group for image, group in own.groupby("image", sort=False)}

    name = shown(Path(os.path.normpath(root.absolute())).name)
    errors_first = sorted(findings, key=lambda finding: finding.severity != "error")
    passed = verdict_of(findings).passed
    severities = Counter(finding.severity for finding in findings)
    has_docs = files.docs.is_dir()
    docs_links = {suite: f"{files.docs.name}/{docs_page(suite)}" for suite in SUITES} if has_docs else {}
    return render_template(
        TEMPLATE,
        name=name,
        passed=passed,
        tally=_tally(severities),
        findings_file=files.findings.name,
        docs_link=f"{files.docs.name}/index.html" if has_docs else None,
        docs_links=docs_links,
        card=card,
        totals={
            "images": sum(s.images for s in card.splits.values()),
            "boxes": sum(s.boxes for s in card.splits.values()),
        },
        splits=_split_table(card, images),
        classes=_class_table(counts, names),
        classes_open=len(names) <= MOST_OPEN_CLASSES,
        unseen=[name for class_id, name in enumerate(names) if not any(each[class_id] for each in counts.values())],
        figures=_figures(counts, names, boxes, images),
        samples={s: [_sample(root, image, by_image, names) for image in chosen] for s, chosen in samples.items()},
        sections=[_section(root, finding, allowance, by_image) for finding in errors_first],
        open_places=OPEN_PLACES,
        any_left_out=any(finding.drops for finding in findings),
        percent=percent,
    )


def percent(share: float) -> str:
    """A share in percent; small shares are never rounded to 0 %, nor large ones to 100 %."""
    if 0 < share < 0.0001:
        return "under 0.01%"
    return "over 99.99%" if 0.9999 < share < 1 else f"{share:.2%}"


def _tally(severities: Counter[Severity]) -> str:
    counts = {"error": severities["error"], "warning": severities["warning"]}
    return " and ".join(f"{count} {severity}{'s' if count > 1 else ''}" for severity, count in counts.items() if count)


def _split_table(card: DatasetCard, images: pd.DataFrame) -> Table:
    rows = []
    for split, count in card.splits.items():
        empty = int((images.loc[images["split"] == split, "boxes"] == 0).sum())
        mean = count.boxes / max(count.images, 1)
        rows.append((split, f"{count.images:,}", f"{count.boxes:,}", f"{mean:.1f}", f"{empty:,}"))
    return Table(("split", "images", "boxes", "boxes an image", "without a box"), "lrrrr", tuple(rows))


def _class_table(counts: BoxCounts, names: Sequence[str]) -> Table:
    """Boxes by class and split, the most frequent class first."""
    totals = sum(counts.values(), np.zeros(len(names), np.int64))
    rows = tuple(
        (
            names[class_id],
            f"{class_id}",
            *(f"{each[class_id]:,}" for each in counts.values()),
            f"{totals[class_id] / max(totals.sum(), 1):.1%}",
        )
        for class_id in np.argsort(-totals, kind="stable")
    )
    return Table(("class", "id", *counts, "share"), "lr" + "r" * len(counts) + "r", rows)


def _figures(
    counts: BoxCounts, names: Sequence[str], boxes: pd.DataFrame, images: pd.DataFrame
) -> dict[str, list[Markup]]:
    """Our own SVG, by section; matplotlib escapes the texts in it."""
    # matplotlib takes half a second to import, and only writing a page needs it.
    from mobileyolo.reporting.dataset import figures as dataset_figures
    from mobileyolo.reporting.shared.panels import to_svg

    labelled, any_image = not boxes.empty, not images.empty
    panels = {
        "classes": [dataset_figures.class_shares(counts, names)] if labelled else [],
        "boxes": dataset_figures.box_panels(boxes) if labelled else [],
        "images": [dataset_figures.boxes_an_image(images), dataset_figures.image_sizes(images)] if any_image else [],
    }
    return {name: [Markup(to_svg(panel)) for panel in group] for name, group in panels.items()}


def _sample(root: Path, image: str, by_image: Mapping[str, pd.DataFrame], names: Sequence[str]) -> Sample:
    picture = take(root / image, None, *SAMPLE_SIZE)
    boxes = by_image.get(image)
    if boxes is None:
        return Sample(shown(image), picture, (), 0)
    drawn = boxes.iloc[:MOST_BOXES]
    layers = []
    for number, class_id in enumerate(sorted(set(drawn["class_id"].tolist()))):
        own = _boxes(drawn[drawn["class_id"] == class_id])
        # With more classes than colours, at least the classes in one picture have different ones.
        colour = class_id if len(names) <= CLASS_COLOURS else number
        layers.append(Layer(colour % CLASS_COLOURS, names[class_id], len(own), picture.outline(own)))
    return Sample(shown(image), picture, tuple(layers), len(boxes) - len(drawn))


def _allowance(findings: Iterable[Finding]) -> int:
    """How many pictures a finding may have."""
    depicted = sum(any(offender.image for offender in finding.offenders) for finding in findings)
    return max(1, min(MOST_CASES_A_FINDING, MOST_CASES // max(depicted, 1)))


def _pictured(finding: Finding, allowance: int) -> list[Offender]:
    """The worst offenders that a picture shows, each picture and box once."""
    distinct: dict[tuple[str, Box | None], Offender] = {}
    for offender in finding.offenders:
        if offender.image is not None:
            distinct.setdefault((offender.image, offender.box), offender)
        if len(distinct) == allowance:
            break
    return list(distinct.values())


def _section(root: Path, finding: Finding, allowance: int, by_image: Mapping[str, pd.DataFrame]) -> FindingSection:
    pictured = _pictured(finding, allowance)
    with_picture = {id(offender) for offender in pictured}
    rest = (offender for offender in finding.offenders if id(offender) not in with_picture)
    listed = [offender for offender, _ in zip(rest, range(MOST_PLACES), strict=False)]
    return FindingSection(
        finding=finding,
        outcome=_outcome(finding),
        cases=tuple(_case(root, offender, by_image) for offender in pictured),
        places=tuple((_place(offender), shown(offender.value)) for offender in listed),
        unlisted=finding.count - len(pictured) - len(listed),
    )


def _case(root: Path, offender: Offender, by_image: Mapping[str, pd.DataFrame]) -> Case:
    picture = take(root / str(offender.image), offender.box, *CASE_SIZE)
    boxes = by_image.get(str(offender.image))
    others = [] if boxes is None else _boxes(boxes.iloc[:MOST_BOXES])
    own = [] if offender.box is None else [offender.box]
    return Case(
        place=_place(offender),
        value=shown(offender.value),
        picture=picture,
        outline=picture.outline(own, LEAST_OUTLINE),
        others=picture.outline([box for box in others if box not in own]),
        off_picture=any(not picture.shows(box) for box in own) and bool(picture.source),
        twin=None if offender.twin is None else take(root / offender.twin, None, *CASE_SIZE),
    )


def _boxes(table: pd.DataFrame) -> list[Box]:
    return list(zip(*(table[column].tolist() for column in "xywh"), strict=True))


def _place(offender: Offender) -> str:
    return shown(offender.file) + ("" if offender.line is None else f":{offender.line}")


def _outcome(finding: Finding) -> str:
    """What becomes of the rows."""
    if finding.severity == "error":
        return "stops the pipeline"
    if finding.suite == "quality":
        return "worth a look; nothing is left out"
    return "left out of the training" if finding.drops else "kept as they are"
