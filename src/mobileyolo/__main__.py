"""`python -m mobileyolo`, the same as `mobileyolo`."""

from mobileyolo.commands import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
