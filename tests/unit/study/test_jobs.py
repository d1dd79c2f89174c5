from __future__ import annotations

from pathlib import Path

import pytest

from mobileyolo.study.jobs import own_cache


def test_jobs_at_the_same_time_have_a_cache_each_and_the_next_one_gets_the_first_again(tmp_path: Path) -> None:
    with own_cache(tmp_path) as first:
        with own_cache(tmp_path) as second:
            assert second != first
        with own_cache(tmp_path) as third:
            assert third == second
    with own_cache(tmp_path) as fourth:
        assert fourth == first


def test_a_job_that_fails_gives_its_cache_back(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full"), own_cache(tmp_path) as first:
        raise OSError("full")
    with own_cache(tmp_path) as second:
        assert second == first
