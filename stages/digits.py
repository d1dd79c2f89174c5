"""Generate the embedded default dataset from scikit-learn's handwritten digits."""

from __future__ import annotations

from mobileyolo.core.config import Params
from mobileyolo.core.console import say
from mobileyolo.core.files import DIGITS_DIR
from mobileyolo.digits import DigitsOptions, generate
from stages import run


def main(params: Params) -> None:
    """Write data/raw/digits."""
    digits = params.section(DigitsOptions)
    generate(digits, DIGITS_DIR)
    say(f"{DIGITS_DIR}: {digits.train} training, {digits.val} validation and {digits.test} test scenes")


if __name__ == "__main__":
    run(main)
