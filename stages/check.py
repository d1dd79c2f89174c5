"""Check params.yaml and data.dir before anything else runs, so that a mistake there stops the pipeline at once."""

from __future__ import annotations

from pathlib import Path

from mobileyolo.core import environment
from mobileyolo.core.config import PARAMS_FILE, Params
from mobileyolo.core.console import say
from mobileyolo.core.files import CHECKED_FILE, DIGITS_DIR, write_text
from mobileyolo.dataset.layout import check_data_dir
from mobileyolo.parameters import check_parameters
from mobileyolo.training.precision import precision_warning
from stages import run


def main(params: Params) -> None:
    """Leave a mark that never changes: the stages after this one wait for it but don't run again because of it."""
    if not environment.in_git() and environment.stage_name() is None:  # by hand, as in `make repro`, before dvc
        from mobileyolo.experiments import check_repository  # dvc, which takes time to import

        check_repository()
    parameters = check_parameters(params.values)
    root = Path(params.data_dir)
    if root.exists() or not _made_later(root):
        check_data_dir(root)
    if slow := precision_warning(parameters.train.precision):
        say(f"warning: {PARAMS_FILE}: {slow}")
    write_text(CHECKED_FILE, "params.yaml was read without an error\n")


def _made_later(root: Path) -> bool:
    """Is a folder that is not there yet made by the stage digits, or checked out by DVC from a .dvc file?"""
    return root == DIGITS_DIR or any(Path(f"{folder}.dvc").is_file() for folder in (root, *root.parents))


if __name__ == "__main__":
    run(main)
