from __future__ import annotations

from pathlib import Path

import pytest

from mobileyolo.core.config import load_params
from mobileyolo.core.files import write_text
from mobileyolo.training.precision import precision_warning
from stages import check
from tests.unit.training.test_trainer import SHIPPED

WITHOUT: dict[str, object] = {"architecture": "x86_64", "avx2": True, "avx512_f": True, "avx512_bf16": False}


@pytest.fixture(autouse=True)
def _cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBILEYOLO_DEVICE", "cpu")


@pytest.mark.parametrize("name", ["avx512_bf16", "amx_bf16", "bf16"])
def test_a_processor_with_bfloat16_is_not_warned_of(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: WITHOUT | {name: True})
    assert precision_warning("bf16") == ""


def test_a_processor_without_bfloat16_is_warned_of_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: WITHOUT)
    told = precision_warning("bf16")
    assert told.startswith("train.precision: 'bf16': ")
    assert "no bfloat16 instructions" in told
    assert told.endswith("; choose fp32")
    assert precision_warning("fp32") == ""


@pytest.mark.parametrize("device", ["0", "mps"])
def test_where_a_gpu_trains_the_processor_does_not_matter(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    monkeypatch.setenv("MOBILEYOLO_DEVICE", device)
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: WITHOUT)
    assert precision_warning("bf16") == ""


def test_the_stage_check_says_it_once_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: WITHOUT)
    monkeypatch.setenv("DVC_STAGE", "check")
    monkeypatch.chdir(tmp_path)
    for precision, warnings in (("fp32", 0), ("bf16", 1)):
        text = SHIPPED.read_text(encoding="utf-8").replace("precision: fp32", f"precision: {precision}")
        write_text(Path("params.yaml"), text)
        check.main(load_params())
        told = capsys.readouterr().out.splitlines()
        assert len(told) == warnings
        assert all(line.startswith("warning: params.yaml: train.precision: 'bf16': ") for line in told)
        assert Path("data/checked.txt").is_file()
