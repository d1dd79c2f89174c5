from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mobileyolo.core.errors import ExportError
from mobileyolo.deployment.formats import EXPORT_FORMATS, check_packages


@pytest.mark.parametrize(
    ("package", "title"),
    [("onnxruntime", "ONNX"), ("openvino", "OpenVINO"), ("ncnn", "NCNN"), ("pnnx", "NCNN")],
)
def test_a_missing_package_is_named_with_its_format_and_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, package: str, title: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with pytest.raises(
        ExportError, match=rf'{title}: not installed: {package}; run `python -m pip install -e "\.\[exp'
    ):
        check_packages(EXPORT_FORMATS)


def test_the_formats_are_listed_without_importing_an_engine() -> None:
    script = (
        "import sys; from mobileyolo.deployment import formats; "
        "assert not {'torch', 'ultralytics', 'onnxruntime', 'openvino', 'ncnn'} & set(sys.modules)"
    )
    source = Path(__file__).parents[3] / "src"
    subprocess.run([sys.executable, "-c", f"import sys; sys.path.insert(0, {str(source)!r}); {script}"], check=True)
