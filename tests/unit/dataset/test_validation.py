from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from mobileyolo.core.config import load_params
from mobileyolo.core.tables import Manifest
from mobileyolo.dataset import validation as validation_module
from mobileyolo.dataset.faults import FAULTS
from mobileyolo.dataset.findings import Finding, Offender, format_findings, offenders_table, verdict_of
from mobileyolo.dataset.parameters import Tolerance, ValidationRules
from mobileyolo.dataset.quality import QUALITY
from mobileyolo.dataset.validation import FIXED_TOLERANCE, validate
from tests.damage import (
    DAMAGES,
    HARMLESS,
    SAME,
    Change,
    Damage,
    also_in,
    clear,
    image,
    label_leads,
    line,
    list_images,
    mark_and_windows_line_ends,
    no_label,
    snapshot,
    stem,
    tree,
    two_spellings,
)
from tests.synthetic import write_dataset

RULES = load_params().section(ValidationRules)
KINDS = tuple(Tolerance.model_fields)
IMAGE = "train/images/001.png"
LABEL = "train/labels/001.txt"  # two lines


@pytest.fixture(autouse=True)
def only_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Great Expectations takes a second for all kinds; those of quality have tests of their own."""
    monkeypatch.setattr(validation_module, "QUALITY", ())


def tolerance(share: float = 0.0, **shares: float) -> ValidationRules:
    """Rules with these tolerances for faults."""
    return RULES.model_copy(update={"tolerance": Tolerance(**{**dict.fromkeys(KINDS, share), **shares})})


@pytest.mark.parametrize("damage", DAMAGES, ids=[damage.name for damage in DAMAGES])
def test_a_damage_stops_the_dataset_with_one_error_that_names_its_place_and_changes_nothing(
    dataset: Path, damage: Damage
) -> None:
    damage.change(dataset, 1)
    before = snapshot(dataset)
    validation = validate(dataset, tolerance())
    assert not validation.passed
    (finding,) = validation.findings
    assert (finding.kind, finding.severity, finding.count) == (damage.kind, "error", 1)
    (offender,) = finding.offenders
    assert (offender.file, offender.line) == (damage.file.format(stem=stem(1)), damage.line)
    assert damage.value.format(stem=stem(1)) in offender.value
    assert snapshot(dataset) == before


def test_there_are_sixty_kinds_of_damage_and_more() -> None:
    assert len({damage.name for damage in DAMAGES}) == len(DAMAGES) >= 60
    assert {damage.kind for damage in DAMAGES} | set(FIXED_TOLERANCE) == {kind.name for kind in FAULTS}


def test_many_damages_are_each_found_and_what_is_not_damaged_is_not_accused(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "dataset", train=len(DAMAGES) + 1)
    for number, damage in enumerate(DAMAGES):
        damage.change(root, number)
    found = [
        (finding.kind, offender.file, offender.line)
        for finding in validate(root, tolerance()).findings
        for offender in finding.offenders
    ]
    assert sorted(found, key=str) == sorted(
        ((damage.kind, damage.file.format(stem=stem(n)), damage.line) for n, damage in enumerate(DAMAGES)), key=str
    )


@pytest.mark.parametrize(
    ("change", "kind", "file", "value"),
    [
        (
            lambda r: list_images(r, "train", IMAGE, "train/images/9.png"),
            "unreadable_image",
            "train/images/9.png",
            "No such",
        ),
        (
            lambda r: list_images(r, "val", "val/images/000.png", IMAGE),
            "image_in_two_splits",
            IMAGE,
            f"in train as {IMAGE}",
        ),
        (lambda r: clear(r, "val"), "empty_split", "val", "0 images, none readable"),
        (lambda r: clear(r, "train"), "empty_split", "train", "0 images, none readable"),
        (lambda r: clear(r, "test"), "empty_split", "test", "0 images, none readable"),
    ],
    ids=["listed but gone", "listed in two splits", "empty val", "empty train", "empty test"],
)
def test_a_list_or_folder_with_a_fault_is_an_error(
    dataset: Path, change: Callable[[Path], None], kind: str, file: str, value: str
) -> None:
    change(dataset)
    (finding,) = validate(dataset, tolerance()).findings
    assert (finding.kind, finding.severity) == (kind, "error")
    (offender,) = finding.offenders
    assert (offender.file, offender.line) == (file, None)
    assert value in offender.value


def test_a_dataset_without_damage_passes_with_no_findings(dataset: Path) -> None:
    validation = validate(dataset, tolerance())
    assert validation.findings == ()
    assert validation.passed
    assert verdict_of(validation.findings).model_dump() == {"passed": True, "findings": {}}
    assert offenders_table(validation.findings).empty


def test_oddities_that_are_no_damage_pass_with_no_findings(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "data", train=len(HARMLESS))
    for number, change in enumerate(HARMLESS):
        change(root, number)
    before = tree(root)
    assert validate(root, tolerance()).findings == ()
    assert tree(root) == before


@pytest.mark.parametrize(
    ("damage", "kind", "images", "boxes"),
    [
        (image(lambda _: b""), "unreadable_image", 7, 14),  # its boxes go with it
        (no_label, "missing_label", 8, 14),  # background
        (two_spellings, "ambiguous_label", 8, 14),  # background
        (label_leads("nowhere.txt"), "unreadable_label", 7, 14),  # nobody knows what the image shows
        (line("0 .5 .5 .2"), "malformed_line", 8, 16),
        (line("2 .5 .5 .2 .2"), "class_out_of_range", 8, 16),
        (line("0 9 .5 .2 .2"), "coordinate_out_of_range", 8, 16),
        (line("0 .9 .5 .4 .2"), "box_beyond_image", 8, 16),
        (line("0 .5 .5 .2 -.2"), "negative_size_box", 8, 16),
        (line("0 .5 .5 0 .2"), "zero_size_box", 8, 16),
        (line(f"{SAME}\n" * 3), "duplicate_box", 8, 17),  # the first stays
        (also_in("val"), "image_in_two_splits", 9, 16),
    ],
)
def test_what_the_tolerance_lets_through_is_a_warning_and_only_clean_rows_reach_the_manifest(
    dataset: Path, damage: Change, kind: str, images: int, boxes: int
) -> None:
    damage(dataset, 1)
    validation = validate(dataset, tolerance(**{kind: 1.0}))
    assert [(finding.kind, finding.severity) for finding in validation.findings] == [(kind, "warning")]
    assert validation.passed
    assert (len(validation.manifest.images), len(validation.manifest.boxes)) == (images, boxes)
    assert sum(count.images for count in validation.card.splits.values()) == images
    assert sum(count.boxes for count in validation.card.splits.values()) == boxes


def test_an_unreadable_image_is_not_blamed_for_its_missing_label_or_its_twin(dataset: Path) -> None:
    for name in ("train/images/001.png", "val/images/001.png"):
        (dataset / name).write_bytes(b"no image")
    (dataset / LABEL).unlink()
    validation = validate(dataset, tolerance(1.0))
    assert [(finding.kind, finding.count) for finding in validation.findings] == [("unreadable_image", 2)]


def test_no_tolerance_lets_an_empty_split_through(dataset: Path) -> None:
    for file in (dataset / "val/images").iterdir():
        file.write_bytes(b"no image")
    validation = validate(dataset, tolerance(1.0))
    severities = {finding.kind: finding.severity for finding in validation.findings}
    assert severities == {"empty_split": "error", "unreadable_image": "warning"}
    assert validation.card.splits.keys() == {"train", "test"}


@pytest.mark.parametrize(
    ("missing", "allowed", "severity"),
    [
        (1, 0.1, "warning"),  # 1 of 10 is no more than 0.1
        (1, 0.0999, "error"),
        (7, 0.7, "warning"),  # 1 - 0.7 is a little more than 0.3
        (7, 0.69, "error"),
    ],
)
def test_a_share_equal_to_the_tolerance_is_let_through(
    tmp_path: Path, missing: int, allowed: float, severity: str
) -> None:
    root = write_dataset(tmp_path / "data", train=8, val=2, test=0)
    for label in sorted(root.glob("*/labels/*.txt"))[:missing]:
        label.unlink()
    (finding,) = validate(root, tolerance(missing_label=allowed)).findings
    assert (finding.severity, finding.count, finding.share) == (severity, missing, missing / 10)


def test_the_share_is_one_of_the_rows_that_can_be_judged(dataset: Path) -> None:
    line("no box\n9 .5 .5 .2 .2")(dataset, 1)
    rows = {finding.kind: finding.rows for finding in validate(dataset, tolerance()).findings}
    assert rows == {"malformed_line": 18, "class_out_of_range": 17}


def test_an_image_in_both_splits_has_its_own_faults_once_and_its_boxes_once(dataset: Path) -> None:
    description = yaml.safe_load((dataset / "data.yaml").read_text())
    (dataset / "data.yaml").write_text(yaml.safe_dump({**description, "val": "train/images"}))
    (dataset / LABEL).unlink()
    validation = validate(dataset, tolerance(1.0))
    assert {f.kind: (f.count, f.rows) for f in validation.findings} == {
        "missing_label": (1, 6),
        "image_in_two_splits": (4, 10),
    }
    assert not validation.manifest.boxes.duplicated(["image", "line"]).any()
    assert validation.card.splits["train"] == validation.card.splits["val"]


def test_the_manifest_has_the_images_and_boxes_that_were_written(dataset: Path) -> None:
    (dataset / "val/labels/001.txt").unlink()
    manifest = validate(dataset, tolerance(1.0)).manifest
    assert manifest.images["image"].tolist()[:2] == ["train/images/000.png", "train/images/001.png"]
    assert manifest.images["label"].tolist()[-4:] == [
        "val/labels/000.txt",
        "",
        "test/labels/000.txt",
        "test/labels/001.txt",
    ]
    assert manifest.images["split"].tolist() == ["train"] * 4 + ["val"] * 2 + ["test"] * 2
    own = manifest.boxes[manifest.boxes["image"] == IMAGE]
    written = [[float(column) for column in row.split()] for row in (dataset / LABEL).read_text().splitlines()]
    assert own[["class_id", "x", "y", "w", "h"]].to_numpy().tolist() == written
    assert own["line"].tolist() == [1, 2]
    assert manifest.boxes["class_id"].dtype == np.int64


@pytest.fixture(scope="module")
def digest(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Digest of the dataset that every test here begins with."""
    return validate(write_dataset(tmp_path_factory.mktemp("same") / "dataset"), tolerance()).card.digest


def test_the_columns_of_the_manifest_have_the_types_that_it_names(dataset: Path, tmp_path: Path) -> None:
    validate(dataset, tolerance()).manifest.write(tmp_path)
    names = {"large_string": "string", "double": "float64"}  # Parquet's, where they differ
    for table, types in {"images": Manifest.IMAGE_COLUMNS, "boxes": Manifest.BOX_COLUMNS}.items():
        read = {field.name: str(field.type) for field in pq.read_schema(tmp_path / f"{table}.parquet")}
        assert {column: names.get(kind, kind) for column, kind in read.items()} == types


def test_scenes_are_numbered_for_every_row_of_the_manifest(dataset: Path, tmp_path: Path) -> None:
    image(lambda _: b"")(dataset, 1)  # is left out
    also_in("val")(dataset, 2)  # is in both splits
    validation = validate(dataset, tolerance(1.0), group=r"images/(00[13])")
    table = validation.scenes.table
    assert table[["split", "image"]].equals(validation.manifest.images[["split", "image"]])
    assert table["scene"].dtype == np.int32
    assert table["scene"].drop_duplicates().tolist() == list(range(table["scene"].nunique()))
    assert (table.groupby("scene")["split"].nunique() == 1).all()


def test_a_group_in_two_splits_is_a_warning_that_names_its_parameters(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation_module, "QUALITY", [kind for kind in QUALITY if kind.name == "group_in_two_splits"])
    (finding,) = validate(dataset, tolerance(), group=r"images/(\d+)").findings
    assert (finding.kind, finding.severity, finding.count, finding.rows) == ("group_in_two_splits", "warning", 4, 8)
    places = [(offender.file, offender.twin) for offender in finding.offenders]
    files = ("test/images/000.png", "test/images/001.png", "val/images/000.png", "val/images/001.png")
    assert places == [(file, f"train/images/{file[-7:]}") for file in files]  # of three splits before of two
    assert finding.parameters == (
        "validate.quality.group_in_two_splits.limit",
        "validate.quality.group_in_two_splits.share",
    )
    assert validate(dataset, tolerance()).findings == ()  # without data.group there is nothing to judge


def test_the_digest_depends_neither_on_the_place_nor_on_the_spelling_of_labels(dataset: Path, digest: str) -> None:
    mark_and_windows_line_ends(dataset, 1)
    assert validate(dataset, tolerance()).card.digest == digest


def rename_class(root: Path, _number: int) -> None:
    file = root / "data.yaml"
    file.write_text(file.read_text().replace("bar", "pole"))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(image(lambda content: content + b"\n"), id="bytes of an image"),
        pytest.param(line(SAME), id="a label"),
        pytest.param(lambda root, _: (root / IMAGE).unlink(), id="an image less"),
        pytest.param(also_in("train"), id="an image more"),
        pytest.param(rename_class, id="a class name"),
    ],
)
def test_the_digest_follows_the_content(dataset: Path, digest: str, change: Change) -> None:
    change(dataset, 1)
    assert validate(dataset, tolerance()).card.digest != digest


def test_every_offender_is_recorded_and_ten_are_printed(dataset: Path) -> None:
    line("\n".join(f"{class_id} .5 .5 .2 .2" for class_id in range(2, 14)))(dataset, 1)
    validation = validate(dataset, tolerance(malformed_line=0.5))
    table = offenders_table(validation.findings)
    assert table["line"].tolist() == list(range(3, 15))
    assert set(table["kind"]) == {"class_out_of_range"}
    (count,) = verdict_of(validation.findings).findings.values()
    assert (count.severity, count.count, count.rows, count.share) == ("error", 12, 28, 12 / 28)
    printed = format_findings(validation.findings).splitlines()
    assert printed[0] == "ERROR class_out_of_range: 12 of 28 boxes (42.86%, tolerated up to 0.00%)"
    assert printed[4] == f"    {LABEL}:3: class 2"
    assert len(printed) == 15
    assert printed[-1] == "    and 2 more"


def test_a_warning_says_what_became_of_its_rows() -> None:
    finding = Finding(
        kind="zero_size_box",
        suite="faults",
        severity="warning",
        description="Sizes are above 0.",
        remedy="delete it",
        faq="the data is odd",
        unit="boxes",
        count=1,
        rows=200,
        tolerance=0.01,
        parameters=("validate.tolerance.zero_size_box",),
        drops=True,
        offenders=(Offender("train/labels/a.txt", 4, "w 0, h 0"),),
    )
    assert format_findings([finding]).splitlines() == [
        "WARNING zero_size_box: 1 of 200 boxes (0.50%, tolerated up to 1.00%); left out",
        "  expected: Sizes are above 0.",
        "  to do: delete it",
        "  why mAP may be low: the data is odd; threshold: validate.tolerance.zero_size_box",
        "    train/labels/a.txt:4: w 0, h 0",
    ]


def test_every_fault_of_images_labels_and_boxes_has_a_tolerance() -> None:
    assert {kind.name for kind in FAULTS} == {*KINDS, *FIXED_TOLERANCE}
    assert {kind.name for kind in FAULTS if kind.table == "splits"} == set(FIXED_TOLERANCE)


def test_an_expectation_that_crashes_is_neither_pass_nor_failure(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = replace(FAULTS[0], measure=lambda audited: pd.Series(["no number"] * len(audited.splits)))
    monkeypatch.setattr(validation_module, "FAULTS", (broken,))
    with pytest.raises(RuntimeError, match="could not evaluate empty_split"):
        validate(dataset, tolerance())


def test_data_docs_name_every_offender(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line("7 .5 .5 .2 .2")(dataset, 1)
    monkeypatch.chdir(tmp_path)
    before = tree(dataset)
    validate(dataset, tolerance(), docs_dir=Path("docs"))
    assert (tmp_path / "docs/index.html").is_file()
    (page,) = (tmp_path / "docs/validations/faults").rglob("*.html")
    text = page.read_text(encoding="utf-8")
    assert "Every class id has a name" in text
    assert LABEL in text
    assert tree(dataset) == before
    assert {path.name for path in tmp_path.iterdir()} == {"dataset", "docs"}


def test_markup_in_names_and_lines_is_text_in_data_docs(dataset: Path, tmp_path: Path) -> None:
    line("<script>0 .5 .5 .2 .2\n0 9 .5 .2 .2")(dataset, 1)
    for name in ("images/001.png", "labels/001.txt"):
        file = dataset / "train" / name
        file.rename(file.with_stem("<script>"))
    validate(dataset, tolerance(), docs_dir=tmp_path / "docs")
    pages = "".join(page.read_text(encoding="utf-8") for page in (tmp_path / "docs/validations").rglob("*.html"))
    assert "train/labels/&lt;script&gt;.txt:4" in pages
    assert "<script>0" not in pages
    assert "<script>.txt" not in pages


def test_a_listed_image_may_have_no_name_but_its_ending(dataset: Path) -> None:
    (dataset / IMAGE).rename(dataset / "train/images/.png")
    list_images(dataset, "train", "train/images/.png")
    images = validate(dataset, tolerance(1.0)).manifest.images["image"].tolist()
    assert images[0] == "train/images/.png"
