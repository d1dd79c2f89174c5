"""Texts of the command line -> checked values, for argparse's `type`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from fractions import Fraction


def whole(low: int, high: int, step: int = 1) -> Callable[[str], int]:
    """A converter to a multiple of `step` from `low` to `high`.

    >>> whole(32, 8192, step=32)("100")
    Traceback (most recent call last):
    argparse.ArgumentTypeError: '100' is not a multiple of 32 from 32 to 8192
    """

    def convert(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high or int(text) % step:
            kind = "whole number" if step == 1 else f"multiple of {step}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a {kind} from {low} to {high}")
        return int(text)

    return convert


imgsz = whole(32, 8192, 32)  # side of a square input in pixels


def share(lowest: int) -> Callable[[str], Fraction]:
    """A converter to a share in twentieths, of which the splitting makes its folds; `lowest` is in twentieths.

    >>> share(lowest=0)("0.15")
    Fraction(3, 20)
    """

    def convert(text: str) -> Fraction:
        try:
            twentieths = Fraction(text) * 20
        except (ValueError, ZeroDivisionError):
            twentieths = Fraction(-1)
        if twentieths.denominator > 1 or not lowest <= twentieths <= 10:
            raise argparse.ArgumentTypeError(f"{text!r} is not a share from {lowest / 20:g} to 0.5 in steps of 0.05")
        return twentieths / 20

    return convert


def names(text: str) -> tuple[str, ...]:
    """A converter to different names, in their order."""
    parts = tuple(name.strip() for name in text.split(","))
    if not all(parts) or len(set(parts)) < len(parts):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of different names like a,b,c")
    return parts
