"""What Ultralytics accepts of a description and of label lines, by its own checks, and what is made of it here."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from ultralytics.data import utils
from ultralytics.data.utils import check_det_dataset, verify_image_label

from mobileyolo.core.config import load_params
from mobileyolo.core.errors import DatasetError
from mobileyolo.dataset import validation as validation_module
from mobileyolo.dataset.layout import find_layout
from mobileyolo.dataset.parameters import ValidationRules
from mobileyolo.dataset.reading import read_dataset
from mobileyolo.dataset.validation import validate
from tests.damage import snapshot
from tests.descriptions import FULL, SPLITS, describe
from tests.synthetic import write_dataset

RULES = load_params().section(ValidationRules)
PAGE = (Path(__file__).parents[3] / "docs/reference/findings.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def offline_and_only_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utils, "check_font", lambda *_: None)
    monkeypatch.setattr(validation_module, "QUALITY", ())


@pytest.mark.parametrize(
    "text",
    [
        "train: train/images\nvalidation: val/images\nnames: [square, bar]",  # FiftyOne
        "train: ../train/images\nval: ../val/images\ntest: ../nowhere\nnames: [square, bar]",  # Roboflow
        f"{FULL}test: nowhere",
        f"{FULL}test:",
        f"{FULL}nc: '2'",
        f"{FULL}nc: 2.0",
        f"{FULL}channels: 3",
        f"{FULL}download: https://example.invalid/data.zip",
        f"{SPLITS}nc: 2",
        f"{SPLITS}nc: 2\nnames:",
        f"{SPLITS}names: {{'1': bar, '0': square}}",
        f"{SPLITS}names: ['0', '1']",
        f"{SPLITS}names: {{0: 5, 1: 7}}",
    ],
)
def test_a_description_that_ultralytics_accepts_is_read_alike(dataset: Path, text: str) -> None:
    describe(dataset, text)
    theirs, ours = check_det_dataset(str(dataset / "data.yaml"), autodownload=False), find_layout(dataset)
    assert dict(enumerate(ours.names)) == theirs["names"]
    assert theirs["val"] == str(dataset / "val/images")
    assert {str(Path(image).parent) for image in ours.images["val"]} == {"val/images"}


@pytest.mark.parametrize(
    ("text", "message", "documented"),
    [
        (f"{FULL}channels: 1", "channels: 1: not supported", "`channels` other than 3"),
        (f"{FULL}kpt_shape: [17, 3]", "this is a pose dataset", "`kpt_shape`"),
        (f"{SPLITS}names: [square, no]", "no: not a text", "unquoted `no`"),
        (f"{SPLITS}names: [square, square]", "two classes have this name", "two classes of one name"),
        (f"{SPLITS}names: {{0: square, -1: bar}}", "expected 0 to 1", "negative ids"),
        (f"{FULL}test: ..", "lies outside", "outside of the dataset's folder"),
        (f"{FULL}val: val/images", "is in line 2 already", "a key twice"),
        (
            "train: val/images\nval: data.yaml\nnames: [a]",
            "neither a folder nor a .txt file",
            "another ending than .txt",
        ),
        (f"{SPLITS}names: [a]\ntest: list.txt", "not an image", "lines that are no images"),
    ],
)
def test_what_is_refused_although_ultralytics_accepts_it_is_documented(
    dataset: Path, text: str, message: str, documented: str
) -> None:
    describe(dataset, text)
    (dataset / "list.txt").write_text("a comment\n", encoding="utf-8")
    assert check_det_dataset(str(dataset / "data.yaml"), autodownload=False)["val"]
    with pytest.raises(DatasetError, match=re.escape(message)):
        find_layout(dataset)
    assert documented in PAGE


def test_a_path_from_the_working_directory_is_refused_and_documented(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe(dataset, f"{FULL}path: {dataset.name}")
    monkeypatch.chdir(dataset.parent)
    assert check_det_dataset(str(dataset / "data.yaml"), autodownload=False)["val"]
    with pytest.raises(DatasetError, match="no such folder"):
        find_layout(dataset)
    assert "`path` that starts at the working directory" in PAGE


@pytest.mark.parametrize(
    ("line", "kind", "ignores_the_image"),
    [
        ("0 .5 .5 .2 .2", None, False),
        ("0 .5 .5 0 .2", "zero_size_box", False),
        ("0 .5 .5 -.2 .2", "negative_size_box", True),
        ("0 .5 .5 .2 -.001", "negative_size_box", True),
        ("0 .95 .5 .2 .2", "box_beyond_image", False),
        ("0 32 32 10 10", "coordinate_out_of_range", True),
        ("0 -.1 .5 .1 .1", "coordinate_out_of_range", True),
        ("0 .5 .5 1.5 .2", "coordinate_out_of_range", True),
        ("0 -.009 .5 .1 .1", "box_beyond_image", False),
        ("0 1.009 .5 .001 .1", None, False),
        ("2 .5 .5 .2 .2", "class_out_of_range", True),
        ("-1 .5 .5 .2 .2", "class_out_of_range", True),
        ("0 .5 .5 .2", "malformed_line", True),
    ],
)
def test_a_tolerance_is_of_lines_that_ultralytics_treats_alike(
    dataset: Path, line: str, kind: str | None, ignores_the_image: bool
) -> None:
    label = dataset / "train/labels/001.txt"
    label.write_text(f"{line}\n", encoding="utf-8")
    image = str(dataset / "train/images/001.png")
    *_, corrupt, _message = verify_image_label((image, str(label), "", False, 2, 0, 0, False))
    assert bool(corrupt) == ignores_the_image
    assert [finding.kind for finding in validate(dataset, RULES).findings] == ([kind] if kind else [])


def test_a_negative_size_is_no_zero_size_within_its_tolerance(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "data", train=60)
    label = root / "train/labels/001.txt"
    label.write_text(label.read_text() + "0 .5 .5 -.2 .2\n0 .5 .5 0 .2\n", encoding="utf-8")
    severities = {finding.kind: finding.severity for finding in validate(root, RULES).findings}
    assert severities == {"negative_size_box": "error", "zero_size_box": "warning"}


@pytest.mark.parametrize(
    ("image", "label"),
    [
        (unicodedata.normalize("NFD", "Caf\u00e9"), unicodedata.normalize("NFC", "Caf\u00e9")),  # an archive from macOS
        (unicodedata.normalize("NFC", "\u304c"), unicodedata.normalize("NFD", "\u304c")),
        ("my photo", "my%20photo"),
        ("my%20photo", "my photo"),
        ("\u5b89\u5168\u5e3d", "%E5%AE%89%E5%85%A8%E5%B8%BD"),
    ],
    ids=["NFD image", "NFD label", "escaped label", "escaped image", "escaped Chinese"],
)
def test_labels_that_are_spelt_otherwise_are_paired_with_a_warning(
    dataset: Path, tmp_path: Path, image: str, label: str
) -> None:
    memory = tmp_path / "memory"
    plain = validate(dataset, RULES, memory).manifest.boxes
    (dataset / "train/images/001.png").rename(dataset / f"train/images/{image}.png")
    (dataset / "train/labels/001.txt").rename(dataset / f"train/labels/{label}.txt")
    before = snapshot(dataset)
    for _ in range(2):  # the second time from memory
        validation = validate(dataset, RULES, memory)
        (finding,) = validation.findings
        assert (finding.kind, finding.severity, finding.count) == ("misspelt_label", "warning", 1)
        assert finding.offenders[0].value == f"its label is train/labels/{label}.txt"
        own = validation.manifest.boxes[validation.manifest.boxes["image"] == f"train/images/{image}.png"]
        assert own["x"].tolist() == plain.loc[plain["image"] == "train/images/001.png", "x"].tolist()
    assert snapshot(dataset) == before
    (dataset / f"train/labels/{label}.txt").rename(dataset / f"train/labels/{image}.txt")
    assert validate(dataset, RULES, memory).findings == ()


def test_labels_beside_their_images_and_in_a_shared_folder_are_paired_too(dataset: Path) -> None:
    labels = dataset / "labels"
    labels.mkdir()
    for split in ("train", "val"):
        for label in (dataset / split / "labels").iterdir():
            label.rename(labels / f"{split}%20{label.name}")
        (dataset / split / "labels").rmdir()
        (dataset / split / "labels").symlink_to(labels)
        for image in (dataset / split / "images").iterdir():
            image.rename(image.with_name(f"{split} {image.name}"))
    data = read_dataset(dataset)
    assert data.images.loc[data.images["split"] != "test", "label_exists"].all()
    assert data.orphans == ()


@pytest.mark.parametrize("place", ["nowhere", "test/images"])
def test_a_test_split_that_no_stage_needs_is_a_warning(dataset: Path, place: str) -> None:
    describe(dataset, f"{FULL}test: {place}")
    for label in (dataset / "test/labels").iterdir():
        label.unlink()
    validation = validate(dataset, RULES, held_out="val")
    (finding,) = validation.findings
    assert (finding.kind, finding.severity) == ("unused_test", "warning")
    assert finding.offenders[0].file == "test"
    assert validation.card.splits.keys() == {"train", "val"}
    assert set(validation.manifest.images["split"]) == {"train", "val"}


def test_a_test_split_that_is_measured_on_must_be_there_and_have_labels(dataset: Path) -> None:
    for label in (dataset / "test/labels").iterdir():
        label.unlink()
    for held_out in ("auto", "test"):
        (finding,) = validate(dataset, RULES, held_out=held_out).findings
        assert (finding.kind, finding.severity) == ("unlabelled_split", "error")
    describe(dataset, f"{FULL}test: nowhere")
    assert validate(dataset, RULES).passed  # auto: on val then
    with pytest.raises(DatasetError, match=r"test: 'nowhere': neither a folder .* evaluate.split asks for it"):
        validate(dataset, RULES, held_out="test")
