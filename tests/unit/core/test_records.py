from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from mobileyolo.core.files import digest_of, replacing, write_table, write_text
from mobileyolo.core.records import CocoAP, DatasetCard, SplitCount
from mobileyolo.core.tables import Scenes
from tests.synthetic_results import make_metrics

CARD = DatasetCard(digest="d", names=("猫", "dog"), splits={"train": SplitCount(images=2, boxes=3)})


@pytest.mark.parametrize("name", ["card.json", "card.yaml"])
def test_a_record_reads_back_as_it_was_written(tmp_path: Path, name: str) -> None:
    CARD.write(tmp_path / name)
    assert DatasetCard.read(tmp_path / name) == CARD


def test_a_record_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text('{"digest": "d", "names": [], "splits": {}, "more": 1}', encoding="utf-8")
    with pytest.raises(ValueError, match="more"):
        DatasetCard.read(tmp_path / "card.json")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    write_text(target, "old")

    def write_until_the_power_fails() -> None:
        with replacing(target) as temporary:
            temporary.write_text("half", encoding="utf-8")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write_until_the_power_fails()
    assert target.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_text_has_unix_line_ends_on_every_system(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "one\ntwo\n")
    write_table(tmp_path / "a.csv", pd.DataFrame({"x": [1, 2]}))
    assert b"\r" not in (tmp_path / "a.txt").read_bytes() + (tmp_path / "a.csv").read_bytes()


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1}) != digest_of({"a": 1, "b": [2, 1]})


def test_scenes_of_some_images_are_those_of_their_split_numbered_in_the_order_that_was_asked_for(
    tmp_path: Path,
) -> None:
    rows = [
        ("train", "a", 0),
        ("train", "b", 0),
        ("test", "c", 1),
        ("test", "a", 2),
        ("test", "b", 3),
        ("test", "d", 1),
    ]
    Scenes(pd.DataFrame(rows, columns=["split", "image", "scene"])).write(tmp_path / "scenes.parquet")
    scenes = Scenes.read(tmp_path / "scenes.parquet")
    assert scenes.of("test", ["a", "b", "c", "d"]).tolist() == [0, 1, 2, 2]
    assert scenes.of("test", ["d", "b"]).tolist() == [0, 1]
    assert scenes.of("train", ["b", "a"]).tolist() == [0, 0]
    with pytest.raises(KeyError):
        scenes.of("train", ["c"])


def test_metrics_as_numbers_are_flat_and_leave_out_what_is_missing() -> None:
    coco = CocoAP(ap=0.5, ap50=0.6, ap75=0.4, ap_small=0.25, ap_medium=None, ap_large=0.0)
    metrics = make_metrics(coco=coco)
    assert metrics.numbers() == {
        "map50_95": 0.3,
        "map50": 0.5,
        "map75": 0.2,
        "val_map50_95": 0.35,
        "confidence": 0.4,
        "recall": 0.0,
        "f1": 0.0,
        "parameters": 10,
        "gflops": 1.5,
        "weights_mb": 2.0,
        "coco/ap": 0.5,
        "coco/ap50": 0.6,
        "coco/ap75": 0.4,
        "coco/ap_small": 0.25,
        "coco/ap_large": 0.0,
    }
