"""Read starting weights or a teacher from elsewhere, and keep a copy that holds nothing else."""

from __future__ import annotations

from mobileyolo.artifacts import Source
from mobileyolo.config import WEIGHTS_KEYS, Params
from mobileyolo.files import FetchedWeights, replacing_folder
from stages import role_argument, run


def main(params: Params) -> None:
    """Write models/weights/<role>/."""
    role = role_argument()
    path = params.weights_file(role)
    fetched = FetchedWeights(role)
    with replacing_folder(fetched.folder) as folder:
        if path is None:  # the usual case, which need not wait for torch
            source = Source(name=params.weights_name(role))
        else:
            from mobileyolo.models.weights import fetch

            source = fetch(role, path, folder / fetched.weights.name)
        source.write(folder / fetched.source.name)
    print(f"{WEIGHTS_KEYS[role]}: {source.name}")


if __name__ == "__main__":
    run(main)
