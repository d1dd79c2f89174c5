"""Read starting weights or a teacher from elsewhere, and keep a copy that holds nothing else."""

from __future__ import annotations

from mobileyolo.core.config import Params
from mobileyolo.core.console import say
from mobileyolo.core.files import FetchedWeights, replacing_folder
from mobileyolo.core.invocation import argument
from mobileyolo.core.records import Fetched
from mobileyolo.models.parameters import WEIGHTS_KEYS, WeightsName, weights_path
from stages import run


def main(params: Params) -> None:
    """Write models/weights/<role>/."""
    role = argument(WEIGHTS_KEYS)
    name = params.get(WEIGHTS_KEYS[role], WeightsName)
    path = weights_path(name)
    files = FetchedWeights(role)
    with replacing_folder(files.folder) as folder:
        if path is None:  # the usual case, which need not wait for torch
            fetched = Fetched(name=name)
        else:
            from mobileyolo.models.weights import fetch

            fetched = fetch(role, path, folder)
        fetched.write(folder / files.record.name)
    say(f"{WEIGHTS_KEYS[role]}: {', '.join(source.name for source in fetched.files) or name}")


if __name__ == "__main__":
    run(main)
