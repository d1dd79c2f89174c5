"""Generate the embedded default dataset from scikit-learn's handwritten digits."""

from __future__ import annotations

from mobileyolo.config import Params
from mobileyolo.dataset.digits import generate
from mobileyolo.files import DIGITS_DIR
from stages import run


def main(params: Params) -> None:
    """Write data/raw/digits."""
    digits = params.digits
    generate(digits, DIGITS_DIR)
    print(f"{DIGITS_DIR}: {digits.train} training, {digits.val} validation and {digits.test} test scenes")


if __name__ == "__main__":
    run(main)
