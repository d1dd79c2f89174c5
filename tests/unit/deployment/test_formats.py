from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mobileyolo.core.errors import ExportError
from mobileyolo.deployment.formats import EXPORT_FORMATS, check_packages


@pytest.mark.parametrize(
    ("package", "title", "extra"),
    [
        ("onnxruntime", "ONNX", "pipeline"),
        ("openvino", "OpenVINO", "export"),
        ("ncnn", "NCNN", "export"),
        ("pnnx", "NCNN", "export"),
    ],
)
def test_a_missing_package_is_named_with_its_format_and_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, package: str, title: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with pytest.raises(
        ExportError, match=rf"{title}: {package} is not installed; pip install 'mobileyolo\[{extra}\]', "
    ):
        check_packages(EXPORT_FORMATS)


def test_who_does_not_quantise_needs_no_quantiser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    check_packages(EXPORT_FORMATS)
    with pytest.raises(ExportError, match=r"OpenVINO: nncf is not installed; pip install 'mobileyolo\[export\]', or"):
        check_packages(EXPORT_FORMATS, int8=True)


def test_the_formats_are_listed_without_importing_an_engine() -> None:
    script = (
        "import sys; from mobileyolo.deployment import formats; "
        "assert not {'torch', 'ultralytics', 'onnxruntime', 'openvino', 'ncnn'} & set(sys.modules)"
    )
    source = Path(__file__).parents[3] / "src"
    subprocess.run([sys.executable, "-c", f"import sys; sys.path.insert(0, {str(source)!r}); {script}"], check=True)
