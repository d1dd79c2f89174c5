"""Data Docs as a folder of HTML pages."""

from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path

from great_expectations.data_context import EphemeralDataContext

from mobileyolo.dataset.data_docs.views import view_config
from mobileyolo.dataset.findings import DOCS_RUN

SITE = "dataset"
_PAGES = logging.getLogger("great_expectations.render.renderer.site_builder")


def write_site(context: EphemeralDataContext, folder: Path) -> None:
    """Write the stored suites and results as HTML, beginning at index.html, in place of what was in the folder.

    Raises:
        OSError: the disk does not take a page.
    """
    shutil.rmtree(folder, ignore_errors=True)
    _PAGES.addFilter(_raise_what_the_disk_said)
    try:
        context.add_data_docs_site(SITE, _site_config(folder))
        context.build_data_docs(site_names=[SITE])
    finally:
        _PAGES.removeFilter(_raise_what_the_disk_said)
    # Logos, animations and fonts of Great Expectations: 4 MB that our templates show nothing of.
    shutil.rmtree(folder / "static", ignore_errors=True)
    for run in folder.glob(f"validations/*/{DOCS_RUN}/*"):
        _give_lasting_name(run, folder)


def _site_config(folder: Path) -> dict[str, object]:
    view = view_config()
    return {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder", "view": view},
        "site_section_builders": {"expectations": {"view": view}, "validations": {"view": view}},
        "show_how_to_buttons": False,  # links to tutorials on the web
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(folder.resolve()),  # a relative one would start at a folder of its own
        },
    }


def _raise_what_the_disk_said(_record: logging.LogRecord) -> bool:
    """Great Expectations logs why it can't write a page, with a traceback, and goes on without the page."""
    error = sys.exc_info()[1]
    if isinstance(error, OSError) and error.errno is not None:
        raise error
    return True


def _give_lasting_name(run: Path, folder: Path) -> None:
    """Rename the folder of a run from its time to `latest`, here and in all links, so that other pages can link to it.

    For example `validations/faults/validation/20260131T120000.000000Z` becomes `validations/faults/validation/latest`.
    """
    for page in folder.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace(f"/{run.name}/", "/latest/"), encoding="utf-8")
    run.rename(run.with_name("latest"))
