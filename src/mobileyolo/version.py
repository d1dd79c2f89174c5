"""The package's version. No stage depends on this file, so that a new one trains nothing again."""

__version__ = "0.2.0"
