from __future__ import annotations

from mobileyolo.reporting.shared.pages import shown


def test_endless_text_is_cut() -> None:
    assert shown("abcdef", 4) == "abc…"


def test_characters_that_turn_text_round_are_shown_as_escapes() -> None:
    assert shown("right\u202eto left\x1b[31m") == "right\\u202eto left\\x1b[31m"
