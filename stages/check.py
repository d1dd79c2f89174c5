"""Read params.yaml before anything else runs, so that a wrong key or value stops the pipeline at once."""

from __future__ import annotations

from mobileyolo.core.config import Params
from mobileyolo.core.files import CHECKED_FILE, write_text
from mobileyolo.parameters import check_parameters
from stages import run


def main(params: Params) -> None:
    """Leave a mark that never changes: the stages after this one wait for it but don't run again because of it."""
    check_parameters(params.values)
    write_text(CHECKED_FILE, "params.yaml was read without an error\n")


if __name__ == "__main__":
    run(main)
