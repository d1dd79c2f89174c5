"""What is not used need not be installed: each wing works with what its extra brings, and says what else it misses.

Each check runs in an interpreter of its own, which can import only what `pip install mobileyolo[...]` brings.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mobileyolo.commands import COMMANDS
from mobileyolo.deployment.formats import EXPORT_FORMATS
from mobileyolo.extras import EXTRAS
from mobileyolo.models.keras import SIGNATURE
from tests.tutorial import write_tutorial

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
INSTALLED = {
    module: {canonicalize_name(name) for name in names}
    for module, names in packages_distributions().items()
    if module != "mobileyolo"
}
SOURCES = sorted((ROOT / "src/mobileyolo").rglob("*.py"))
MODULES = [".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__") for path in SOURCES]


def own_requirements(extra: str | None) -> list[Requirement]:
    """What pyproject.toml lists for an extra, or for the package itself."""
    listed = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    return [Requirement(text) for text in listed]


def expanded(requirements: Iterable[Requirement]) -> Iterator[Requirement]:
    """With what this package's own extras stand for."""
    for requirement in requirements:
        if requirement.name == "mobileyolo":
            for extra in requirement.extras:
                yield from expanded(own_requirements(extra))
        else:
            yield requirement


def distributions(requirements: Iterable[Requirement]) -> set[str]:
    """Names of all that pip would install for requirements, as far as it is installed here."""
    found: dict[tuple[str, str], None] = {}
    waiting = [(canonicalize_name(each.name), extra) for each in requirements for extra in ("", *each.extras)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in found:
            continue
        found[name, extra] = None
        try:
            needed = map(Requirement, requires(name) or [])
        except PackageNotFoundError:
            continue  # for another system, say
        for each in needed:
            if each.marker is None or each.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(each.name), more) for more in ("", *each.extras)]
    return {name for name, _ in found}


def environment(*extras: str, without: Iterable[str] = ()) -> set[str]:
    """All that `pip install mobileyolo[...]` brings, but for some of its direct dependencies and what they bring."""
    requirements = list(expanded(requirement for extra in (None, *extras) for requirement in own_requirements(extra)))
    assert {*without} <= {requirement.name for requirement in requirements}
    return distributions(requirement for requirement in requirements if requirement.name not in {*without})


# Python's own finder, but that some packages can't be found; sys.modules[name] = None would confuse SciPy.
BLOCKED = """
import sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {blocked} else PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
sys.path[:0] = {paths}
"""


def run(script: str, allowed: set[str]) -> subprocess.CompletedProcess[str]:
    """Run a script where only some distributions can be imported."""
    blocked = {module for module, names in INSTALLED.items() if not names & allowed}
    prelude = BLOCKED.format(blocked=blocked, paths=[str(ROOT / "src"), str(ROOT)])
    program = [sys.executable, "-c", prelude + script]
    return subprocess.run(program, capture_output=True, text=True, check=False)


def imports(modules: Iterable[str]) -> str:
    return "\n".join(f"import {module}" for module in modules)


def wing(*names: str) -> list[str]:
    """The modules of some folders of the package."""
    return [module for module in MODULES if module.startswith(tuple(f"mobileyolo.{name}" for name in names))]


def said(process: subprocess.CompletedProcess[str]) -> str:
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_the_drop_in_needs_no_extra(tmp_path: Path) -> None:
    tutorial = write_tutorial(tmp_path)
    script = (
        "import mobileyolo\n"
        "from mobileyolo import MobileNetV1\n"
        "from ultralytics import YOLO\n"
        f"print(YOLO({str(tutorial)!r}).model.stride.tolist(), MobileNetV1(0.25).channels)"
    )
    process = run(script, environment())
    assert said(process).splitlines()[-1] == "[8.0, 16.0, 32.0] (32, 64, 128, 256)"


def test_every_page_of_help_is_there_without_an_extra() -> None:
    script = "from mobileyolo.commands import build_parser; print(build_parser().format_help())"
    assert "look for faults in any YOLO dataset" in said(run(script, environment()))


def test_validation_and_import_need_neither_torch_nor_ultralytics_nor_the_pipeline() -> None:
    allowed = environment("validate", without=["torch", "torchvision", "ultralytics"])
    assert not {"torch", "ultralytics", "mlflow", "dvc", "onnxruntime"} & allowed
    wings = wing("core", "commands", "dataset", "importing", "reporting.dataset", "reporting.shared", "parameters")
    assert len(wings) > 40
    said(run(f"{imports(wings)}\nassert 'great_expectations' in sys.modules", allowed))


def test_the_pipeline_needs_neither_timm_nor_an_engine_beyond_onnx_runtime() -> None:
    allowed = environment("pipeline")
    assert not {"timm", "openvino", "ncnn", "pnnx", "pytest"} & allowed
    stages = [f"stages.{path.stem}" for path in (ROOT / "stages").glob("*.py") if path.stem != "__init__"]
    modules = [module for module in MODULES if module != "mobileyolo.study.cluster"]
    said(run(imports([*modules, *stages]), allowed))


def test_the_extra_ray_brings_what_a_study_on_a_cluster_needs() -> None:
    allowed = environment("ray")
    assert not {"timm", "openvino", "pytest"} & allowed
    said(run("import mobileyolo.study.cluster\nimport dvc_s3", allowed))


def test_a_study_on_a_cluster_without_its_extra_is_one_line_that_names_it() -> None:
    script = "sys.argv[1:] = ['study', '--engine', 'ray']\nfrom mobileyolo.commands import main\nmain()"
    process = run(script, environment("pipeline"))
    assert process.returncode == 1
    assert process.stderr == "error: ray is not installed; pip install 'mobileyolo[ray]'\n"


def test_the_extra_imagenet_brings_what_reads_and_names_weights_of_timm() -> None:
    allowed = environment("imagenet")
    assert "openvino" not in allowed
    script = "import h5py; from mobileyolo import downloads; import safetensors.torch; print(downloads._timm_names())"
    assert "mobilenetv1_100" in said(run(script, allowed))


def test_weights_of_keras_without_their_extra_are_one_line_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "mobilenet_v1_0.25_224"
    path.write_bytes(SIGNATURE)
    script = (
        "import stages, pathlib\n"
        "from mobileyolo.models.weights import read_backbone\n"
        f"read_backbone(pathlib.Path({str(path)!r}))"
    )
    process = run(script, environment("pipeline"))
    assert process.stderr == "error: h5py is not installed; pip install 'mobileyolo[imagenet]'\n"


@pytest.mark.parametrize(("extra", "missing"), [("export", ""), ("pipeline", "OpenVINO: openvino is not installed")])
def test_the_extra_export_brings_every_engine(extra: str, missing: str) -> None:
    script = "from mobileyolo.deployment.formats import EXPORT_FORMATS, check_packages; check_packages(EXPORT_FORMATS)"
    allowed = environment(extra)
    assert "timm" not in allowed
    process = run(script, allowed)
    assert (process.returncode, missing in process.stderr) == (bool(missing), True)


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["validate", "."], "validate"),
        (["import", "voc", "a", "b"], "validate"),
        (["cost"], "validate"),
        (["show"], "validate"),
        (["fetch", "yolo11n.pt"], "validate"),
        (["export"], "pipeline"),
        (["study"], "pipeline"),
        (["leaderboard"], "pipeline"),
        (["confirm"], "pipeline"),
        (["log"], "pipeline"),
        (["doctor"], "pipeline"),
    ],
)
def test_a_command_without_its_extra_is_one_line_that_names_it(arguments: list[str], extra: str) -> None:
    script = f"sys.argv[1:] = {arguments!r}\nfrom mobileyolo.commands import main\nmain()"
    process = run(script, environment())
    assert process.returncode == 1
    assert re.fullmatch(
        rf"error: (pandas|pydantic) is not installed; pip install 'mobileyolo\[{extra}\]'\n", process.stderr
    )


def test_every_command_is_tried_without_its_extra() -> None:
    (mark,) = test_a_command_without_its_extra_is_one_line_that_names_it.pytestmark  # type: ignore[attr-defined]
    assert {arguments[0] for arguments, *_ in mark.args[1]} == {*COMMANDS}


@pytest.mark.parametrize(
    ("stage", "package"),
    [("validate", "great_expectations"), ("compare", "mlflow"), ("compare", "filelock"), ("check", "pydantic")],
)
def test_a_stage_without_its_extra_is_one_line_that_names_it(stage: str, package: str) -> None:
    script = f"import runpy\nrunpy.run_module('stages.{stage}', run_name='__main__')"
    process = run(script, environment("pipeline") - INSTALLED[package])
    assert process.returncode == 1
    assert process.stderr == f"error: {package} is not installed; pip install 'mobileyolo[pipeline]'\n"


def test_a_module_that_no_extra_brings_keeps_its_traceback() -> None:
    process = run("import stages\nimport nowhere", environment("pipeline"))
    assert process.returncode == 1
    assert "Traceback (most recent call last)" in process.stderr
    assert "No module named 'nowhere'" in process.stderr


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_table_of_extras_is_that_of_pyproject(extra: str) -> None:
    listed = {canonicalize_name(each.name) for each in own_requirements(extra) if each.name != "mobileyolo"}
    assert all(INSTALLED[module] & listed for module in EXTRAS[extra])
    assert listed <= {name for module in EXTRAS[extra] for name in INSTALLED[module]}


def test_every_package_that_the_code_imports_is_a_dependency_or_in_an_extra() -> None:
    base = {module for module, names in INSTALLED.items() if names & {each.name for each in own_requirements(None)}}
    known = base.union(*EXTRAS.values())
    engines = {package for each in EXPORT_FORMATS.values() for package in each.packages}
    assert third_party() | engines <= known
    # pandas writes Parquet with the one, DVC reaches S3 with the other
    assert known - base - third_party() - engines == {"pyarrow", "dvc_s3"}


def third_party() -> set[str]:
    """Top-level packages of others that the source imports anywhere."""
    nodes = [node for path in SOURCES for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    own = {"mobileyolo", "checkpoints"}  # the second is a copy of our module that MLflow keeps with a model
    return {name.partition(".")[0] for name in names} - {*sys.stdlib_module_names} - own


def test_the_lock_has_every_dependency_and_names_no_index() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)}
    extras = [None, *PROJECT["optional-dependencies"]]
    assert {canonicalize_name(each.name) for extra in extras for each in expanded(own_requirements(extra))} <= pinned
    assert "://" not in lock
