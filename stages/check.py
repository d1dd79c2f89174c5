"""Read params.yaml before anything else runs, so that a wrong key or value stops the pipeline at once."""

from __future__ import annotations

from mobileyolo.config import PARAMS_FILE, WEIGHTS_DIR, WEIGHTS_KEYS, Params
from mobileyolo.errors import ConfigError
from mobileyolo.files import CHECKED_FILE, write_text
from stages import run


def main(params: Params) -> None:
    """Leave a mark that never changes: the stages after this one wait for it but don't run again because of it."""
    for role, key in WEIGHTS_KEYS.items():
        path = params.weights_file(role)
        if path is not None and not path.is_file():
            raise ConfigError(
                f"{PARAMS_FILE}: {key}: {params.weights_name(role)!r}: no file {path}; put one there, give an absolute "
                f"path, or have a known name downloaded into {WEIGHTS_DIR}: python -m mobileyolo fetch <name>"
            )
    write_text(CHECKED_FILE, "params.yaml was read without an error\n")


if __name__ == "__main__":
    run(main)
