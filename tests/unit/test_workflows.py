"""What GitHub runs: nothing that somebody else can change under us, and no more rights than reading."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PINNED = re.compile(r"[\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
DOCS = sorted((ROOT / "docs").rglob("digits.md"))
each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])


def parsed(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows" / name).read_text(encoding="utf-8"))
    return content


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def joined(path: Path) -> str:
    """A file's text, with lines that a backslash continues as one."""
    return path.read_text(encoding="utf-8").replace("\\\n", " ")


def unpinned(text: str) -> list[str]:
    """Actions that are not pinned by commit, with the version beside it."""
    used = re.findall(r"^\s*(?:- )?uses:\s*(.+?)\s*$", text, re.MULTILINE)
    return [each for each in used if not PINNED.fullmatch(each)]


@each_workflow
def test_each_action_is_pinned_by_its_commit_and_names_its_version(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    used = [step["uses"] for step in steps(parsed(path.name)) if "uses" in step]
    assert used
    assert len(re.findall(r"\buses:", text)) == len(used)
    assert unpinned(text) == []


@pytest.mark.parametrize(
    "action",
    [
        "actions/checkout@v4",
        "actions/checkout@11bd719 # v4.2.2",
        "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683",
        "actions/checkout@main # v4.2.2",
    ],
)
def test_a_tag_a_branch_a_short_commit_or_one_without_its_version_is_not_pinned(action: str) -> None:
    assert unpinned(f"steps:\n  - uses: {action}\n") == [action]


@each_workflow
def test_a_workflow_may_read_the_repository_and_nothing_else(path: Path) -> None:
    workflow = parsed(path.name)
    assert workflow["permissions"] == {"contents": "read"}
    more = {name: job["permissions"] for name, job in workflow["jobs"].items() if "permissions" in job}
    assert more == ({"comment": {"pull-requests": "write"}} if path.stem == "ci" else {})
    assert "secrets." not in path.read_text(encoding="utf-8")


@each_workflow
def test_a_job_ends_by_itself(path: Path) -> None:
    assert [name for name, job in parsed(path.name)["jobs"].items() if "timeout-minutes" not in job] == []


def test_what_may_write_runs_nothing_of_a_pull_request_and_none_of_another_repository() -> None:
    job = parsed("ci.yml")["jobs"]["comment"]
    assert "head.repo.full_name == github.repository" in job["if"]
    assert [step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step] == ["actions/download-artifact"]
    assert [step["run"].split()[:3] for step in job["steps"] if "run" in step] == [["gh", "pr", "comment"]]


def test_gitlab_runs_what_github_does() -> None:
    gitlab = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text(encoding="utf-8"))
    github = parsed("ci.yml")["jobs"]
    assert gitlab["tests"]["script"] == ".ci/run"
    compared = [step["run"] for step in github["repro"]["steps"] if ".ci/compare" in step.get("run", "")]
    assert [line.replace("$CI_DEFAULT_BRANCH", "$MAIN") for line in gitlab["repro"]["script"] if "compare" in line] == (
        compared
    )


def test_every_python_that_is_supported_is_tested_on_linux_and_on_windows() -> None:
    jobs = parsed("ci.yml")["jobs"]
    tested = {(each["os"], each["python"]) for each in jobs["elsewhere"]["strategy"]["matrix"]["include"]}
    (setup,) = (step for step in jobs["everything"]["steps"] if "setup-python" in step.get("uses", ""))
    tested.add((jobs["everything"]["runs-on"], setup["with"]["python-version"]))
    supported = ["3.11", "3.12", "3.13"]
    assert 'requires-python = ">=3.11,<3.14"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert tested == {(system, python) for system in ("ubuntu-latest", "windows-latest") for python in supported}
    assert ".ci/run" in [step.get("run") for step in jobs["everything"]["steps"]]


def test_the_install_without_make_is_the_one_that_the_tutorial_tells() -> None:
    tutorial = (ROOT / "docs/tutorial/digits.md").read_text(encoding="utf-8").splitlines()
    for name, job in (("ci.yml", "elsewhere"), ("scheduled.yml", "contracts"), ("scheduled.yml", "slow")):
        commands = [step["run"] for step in parsed(name)["jobs"][job]["steps"] if "run" in step]
        assert commands[2] == "python -m pip install --no-deps --no-build-isolation --editable ."
        assert [command for command in commands[:3] if command in tutorial] == commands[:3]


def test_each_marker_that_an_ordinary_run_leaves_out_is_run_once_a_week() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    left_out = re.findall(r"not (\w+)", options["addopts"][options["addopts"].index("-m") + 1])
    commands = [step["run"] for step in parsed("scheduled.yml")["jobs"]["slow"]["steps"] if "run" in step]
    run = [
        found[1]
        for command in commands
        if (found := re.search(r"pytest .*-m (\w+)", command.removeprefix("python -m ")))
    ]
    assert sorted(run) == sorted(left_out)
    # Playwright brings a browser's name, and no browser.
    (browser,) = (number for number, command in enumerate(commands) if command.endswith("-m browser"))
    assert commands[browser - 1] == "python -m playwright install --with-deps chromium"


def test_nothing_is_built_with_tools_that_have_no_hash() -> None:
    # An sdist in the lock is built with what is installed before it; both locks pin that alike.
    build, lock = (
        (ROOT / name).read_text(encoding="utf-8") for name in ("requirements-build.lock", "requirements.lock")
    )
    pins = re.findall(r"^setuptools==.*\\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", build, re.MULTILINE)
    assert len(pins) == build.count("==") == 1
    assert pins[0] in lock
    told = [*WORKFLOWS, *(ROOT / name for name in ("README.md", "README.zh-CN.md", "Makefile")), *DOCS]
    commands = [
        line for path in told for line in joined(path).splitlines() if "pip install" in line and ".lock" in line
    ]
    assert len(commands) >= 10
    for before, command in pairwise(commands):
        assert "--require-hashes" in command
        if "requirements.lock" in command:
            assert "--no-build-isolation" in command
            assert "requirements-build.lock" in before


def test_what_the_lock_pins_is_audited_and_listed_for_each_release_and_once_a_week() -> None:
    workflow: dict[Any, Any] = {**parsed("supply-chain.yml")}
    assert workflow[True]["push"] == {"tags": ["v*"]}  # YAML 1.1 reads `on` as true
    assert workflow[True]["schedule"]
    commands = [step["run"] for step in steps(workflow) if "run" in step]
    installed = commands[0].removeprefix("python -m pip install ").split()
    assert [each for each in installed if not re.fullmatch(r"[\w-]+==[\d.]+", each)] == []
    assert {each.partition("==")[0] for each in installed} == {"cyclonedx-bom", "pip-audit"}
    assert "pip-audit --strict --disable-pip --require-hashes -r requirements.lock" in commands
    (bill,) = (command for command in commands if command.startswith("cyclonedx-py requirements requirements.lock "))
    (upload,) = (step["with"] for step in steps(workflow) if "upload-artifact" in step.get("uses", ""))
    assert bill.split()[-1] == upload["path"]


def test_the_small_repro_is_a_test_that_exists() -> None:
    (command,) = (step["run"] for step in parsed("ci.yml")["jobs"]["elsewhere"]["steps"] if "-k" in step.get("run", ""))
    (path,) = re.findall(r"tests/\S+\.py", command)
    text = (ROOT / path).read_text(encoding="utf-8")
    words = re.findall(r"\w+", command.split("-k")[1].replace(" or ", " "))
    assert [word for word in words if not re.search(rf"def test_\w*{word}", text)] == []
    assert words


def test_once_a_week_the_contracts_meet_the_newest_release_of_each_vendor() -> None:
    workflow: dict[Any, Any] = {**parsed("scheduled.yml")}
    (entry,) = workflow[True]["schedule"]  # YAML 1.1 reads `on` as true
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", entry["cron"])
    job = workflow["jobs"]["contracts"]
    assert job["strategy"]["matrix"]["vendor"] == ["ultralytics", "great-expectations", "mlflow", "dvc"]
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands.index("python -m pip install --upgrade ${{ matrix.vendor }}") == 3  # behind the lock
    assert commands[-1] == "python -m pytest -m contract tests/contracts"
