"""Read params.yaml before anything else runs, so that a wrong key or value stops the pipeline at once."""

from __future__ import annotations

from mobileyolo.artifacts import CHECKED_FILE, write_text
from mobileyolo.config import Params
from stages import run


def main(_params: Params) -> None:
    """Leave a mark that never changes: the stages after this one wait for it but don't run again because of it."""
    write_text(CHECKED_FILE, "params.yaml was read without an error\n")


if __name__ == "__main__":
    run(main)
