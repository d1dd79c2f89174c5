"""Our templates for Data Docs: Great Expectations 1.24's own load scripts, styles and a logo from eight web hosts.

Only what would load something, or needs a script to be read, has a template here; the others are Great Expectations'.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from great_expectations.render.view import DefaultJinjaPageView
from jinja2 import ChoiceLoader, FileSystemLoader


class OfflinePageView(DefaultJinjaPageView):  # type: ignore[misc]  # untyped
    """Any page of Data Docs, the index too."""

    def __init__(self, custom_styles_directory: str | None = None, custom_views_directory: str | None = None) -> None:
        """Look for a template in our folder first; Great Expectations passes the arguments."""
        super().__init__(custom_styles_directory, custom_views_directory)
        ours = FileSystemLoader(Path(__file__).with_name("templates"))
        self.env.loader = ChoiceLoader([ours, self.env.loader])


def view_config() -> dict[str, Any]:
    """The view as Great Expectations' configuration names it."""
    return {"module_name": OfflinePageView.__module__, "class_name": OfflinePageView.__name__}
