from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mobileyolo import __version__

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "src/mobileyolo").rglob("*.py"))
SLOW = {
    "torch",
    "ultralytics",
    "pandas",
    "scipy",
    "sklearn",
    "mlflow",
    "matplotlib",
    "cv2",
    "great_expectations",
    "dvc",
}
MODULES = [".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__") for path in FILES]


@pytest.fixture(scope="module")
def first_import() -> Iterator[Callable[[str], str]]:
    """Import a module in an interpreter of its own; the traceback, "" if it could be imported."""
    script = [sys.executable, str(ROOT / "tests/first_import.py")]
    with subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:

        def ask(name: str) -> str:
            assert server.stdin
            assert server.stdout
            server.stdin.write(f"{name}\n")
            server.stdin.flush()
            answer: str = json.loads(server.stdout.readline())
            return answer

        yield ask


@pytest.mark.parametrize("module", MODULES)
def test_a_module_can_be_the_first_that_is_imported(first_import: Callable[[str], str], module: str) -> None:
    assert first_import(module) == ""


def test_a_module_that_is_not_there_is_noticed(first_import: Callable[[str], str]) -> None:
    assert "ModuleNotFoundError: No module named 'mobileyolo.nowhere'" in first_import("mobileyolo.nowhere")


def python(script: str) -> str:
    """What a script prints in an interpreter of its own, with the package on its path."""
    program = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); {script}"]
    return subprocess.run(program, capture_output=True, text=True, check=True).stdout.strip()


def test_the_package_imports_neither_torch_nor_ultralytics_nor_an_extra_before_it_is_asked_to() -> None:
    loaded = python("import mobileyolo; print(*sorted({name.partition('.')[0] for name in sys.modules}))").split()
    assert not {"torch", "ultralytics", "numpy", "pandas", "pydantic", "yaml", "mlflow", "dvc"} & set(loaded)


@pytest.mark.parametrize("stage", ["check", "fetch", "build", "teach", "train", "evaluate"])
def test_a_stage_that_often_has_nothing_to_do_imports_nothing_slow_before_it_knows(stage: str) -> None:
    script = f"sys.path.insert(0, {str(ROOT)!r}); import stages.{stage}; print(*{SLOW!r} & sys.modules.keys())"
    assert python(script) == ""


def test_the_network_has_a_short_public_name() -> None:
    said = python(
        "import mobileyolo; from mobileyolo import MobileNetV1; "
        "print('torch' in sys.modules, MobileNetV1.__module__, MobileNetV1(0.25).channels)"
    )
    assert said == "True mobileyolo.models.mobilenet_v1 (32, 64, 128, 256)"


def test_a_name_that_the_package_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(ImportError, match="cannot import name 'MobileNetV2'"):
        from mobileyolo import MobileNetV2  # noqa: F401


def test_every_public_name_is_there() -> None:
    script = "import importlib; modules = map(importlib.import_module, {names})\n"
    script += "print([f'{{m.__name__}}.{{name}}' for m in modules for name in m.__all__ if not hasattr(m, name)])"
    names = [module for module, file in zip(MODULES, FILES, strict=True) if "__all__ = " in file.read_text("utf-8")]
    assert "mobileyolo" in names
    assert python(script.format(names=names)) == "[]"


def test_every_module_with_an_example_in_a_docstring_is_among_those_whose_examples_are_run() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    with_examples = [path.relative_to(ROOT).as_posix() for path in FILES if ">>> " in path.read_text(encoding="utf-8")]
    assert settings["testpaths"] == ["tests", *sorted(with_examples)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package unpacked as pip would install it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (file,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "zipfile", "--extract", str(file), str(folder / "content")], check=True)
    return folder / "content"


def test_a_wheel_has_every_file_of_the_package_and_the_default_parameters(wheel: Path) -> None:
    source = ROOT / "src/mobileyolo"
    ours = {path.relative_to(source) for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    packed = {path.relative_to(wheel / "mobileyolo") for path in (wheel / "mobileyolo").rglob("*") if path.is_file()}
    assert Path("py.typed") in ours
    assert packed == ours | {Path("params.yaml")}
    assert (wheel / "mobileyolo/params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_a_wheel_has_the_command_and_the_version_that_the_package_tells(wheel: Path) -> None:
    (metadata,) = wheel.glob("*.dist-info")
    assert metadata.name == f"mobileyolo-{__version__}.dist-info"
    assert "mobileyolo = mobileyolo.commands:main" in (metadata / "entry_points.txt").read_text(encoding="utf-8")
    assert "Project-URL" not in (metadata / "METADATA").read_text(encoding="utf-8")
