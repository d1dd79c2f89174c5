from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks import circumstances
from benchmarks.circumstances import Circumstances, code_commit


def test_the_commit_is_the_last_one_of_the_measured_code_and_says_when_that_has_changed_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circumstances, "ROOT", tmp_path)

    def commit() -> None:
        identity = ("-c", "user.email=tests@example.invalid", "-c", "user.name=tests")
        for arguments in (("init", "-q"), ("add", "-A"), (*identity, "commit", "-qm", "changed")):
            subprocess.run(["git", *arguments], cwd=tmp_path, check=True)

    (tmp_path / "code.py").write_text("1", encoding="utf-8")
    commit()
    first = code_commit(("code.py",))
    (tmp_path / "page.md").write_text("a table", encoding="utf-8")
    commit()
    assert first
    assert code_commit(("code.py",)) == first
    (tmp_path / "code.py").write_text("2", encoding="utf-8")
    changed = code_commit(("code.py",))
    assert changed.startswith(f"{first}-dirty-")
    (tmp_path / "code.py").write_text("3", encoding="utf-8")
    assert code_commit(("code.py",)) not in (first, changed)


def test_processors_of_one_name_with_other_instructions_are_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX2")
    older = Circumstances.of("training")
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX512")
    assert "(AVX2), " in older.machine
    assert Circumstances.of("training") != older
