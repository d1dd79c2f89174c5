from __future__ import annotations

import pytest

from mobileyolo.core.errors import ConfigError
from mobileyolo.training.parameters import check_batch


@pytest.mark.parametrize(("batch", "gpus"), [(8, 1), (8, 2), (9, 3)])
def test_a_batch_that_the_gpus_can_share_is_taken(batch: int, gpus: int) -> None:
    check_batch(batch, gpus)


def test_a_batch_that_they_cant_share_is_refused_with_one_that_they_can() -> None:
    said = r"params\.yaml: train\.batch: 8: 3 GPUs .* a multiple of 3, such as 9, or fewer GPUs"
    with pytest.raises(ConfigError, match=said):
        check_batch(8, 3)
