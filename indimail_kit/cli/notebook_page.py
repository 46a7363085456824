"""A notebook as a page: JupyterLab's own single document, its code taken out of sight, everything else alive.

Source: JupyterLab, "Simple interface" (/doc/tree/…), cell metadata ``jupyter.source_hidden``, ``--custom-css``.

Rule 1: what is shown is a copy in a private directory; nothing of the person's own notebooks or settings is changed.
Rule 2: loopback and token as for every notebook; a page is no weaker door than JupyterLab.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from indimail_kit.qhpsi.private_dir import make_private_directory

PREFIX: Final = "indimail-kit-page-"

HINT: Final = "*This is a page: choose **Run**, then **Run All Cells**, once. What is saved here ends with the page.*"
"""What stands above the copy."""

_HIDDEN: Final = """
/* Code, prompts and what stands for hidden code are not shown; outputs are. */
.jp-Notebook .jp-CodeCell .jp-Cell-inputWrapper,
.jp-Notebook .jp-CodeCell .jp-Placeholder,
.jp-Notebook .jp-OutputPrompt,
.jp-Notebook .jp-InputPrompt,
.jp-Notebook .jp-InputCollapser,
.jp-Notebook .jp-OutputCollapser,
.jp-Notebook .jp-cell-toolbar { display: none !important; }
"""

_SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "@jupyterlab/apputils-extension:sanitizer": {"allowCommandLinker": False},
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
}
"""As Binder's settings: no commands in links, no calls to the outside; and every cell is drawn, as on a page."""


@dataclass(frozen=True, slots=True)
class NotebookPage:
    """A page that was prepared.

    Attributes:
        root: What JupyterLab shows: the copy in a folder, with links to the other notebooks and the documents.
        url: Where the page is, below JupyterLab's address.
        environment: Variables that JupyterLab needs for it.
        options: Options that JupyterLab needs for it.
    """

    root: Path
    url: str
    environment: dict[str, str]
    options: tuple[str, ...]


def prepare_page(notebooks: Path, name: str) -> NotebookPage:
    """Prepare a page in a private directory, which is held until this process, or what it becomes, has ended.

    Args:
        notebooks: The directory of the notebooks.
        name: The notebook, with or without ".ipynb".
    """
    source = notebooks / f"{name.removesuffix('.ipynb')}.ipynb"
    place, lock = make_private_directory(PREFIX)
    os.set_inheritable(lock, True)  # JupyterLab takes this process's place and goes on holding it
    write_page(source, place)
    return page_at(place, source)


def page_at(place: Path, source: Path) -> NotebookPage:
    """Return how JupyterLab shows the page that was written to a directory."""
    return NotebookPage(
        root=place / "root",
        url=f"/doc/tree/{source.parent.name}/{source.name}",
        environment={"JUPYTER_CONFIG_DIR": str(place / "config")},
        options=("--LabApp.custom_css=True", f"--LabApp.app_settings_dir={place / 'app-settings'}"),
    )


def write_page(source: Path, place: Path) -> None:
    """Write a page to a directory: the copy, links to what it links to, and how it looks.

    Args:
        source: The notebook.
        place: A directory of our own.
    """
    folder = place / "root" / source.parent.name
    folder.mkdir(parents=True)
    for other in sorted(source.parent.iterdir()):
        if other.name != source.name:
            (folder / other.name).symlink_to(other)
    documents = source.parent.parent / "docs"
    if documents.is_dir():
        (place / "root" / "docs").symlink_to(documents)
    copy = without_code(json.loads(source.read_text(encoding="utf-8")))
    (folder / source.name).write_text(json.dumps(copy, ensure_ascii=False, indent=1), encoding="utf-8")
    css, settings = place / "config" / "custom" / "custom.css", place / "app-settings" / "overrides.json"
    for path, text in ((css, _HIDDEN), (settings, json.dumps(_SETTINGS))):
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")


def without_code(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook whose code is hidden, with a hint above it."""
    cells = [
        cell | {"metadata": cell["metadata"] | {"jupyter": {"source_hidden": True}}}
        if cell["cell_type"] == "code"
        else cell
        for cell in notebook["cells"]
    ]
    hint = {"cell_type": "markdown", "id": "page-hint", "metadata": {}, "source": [HINT]}
    return notebook | {"cells": [hint, *cells]}


def check_name(notebooks: Path, name: str) -> None:
    """Refuse a name that is none of the notebooks.

    Raises:
        click.UsageError: It is not; the text lists those that are.
    """
    names = sorted(path.stem for path in notebooks.glob("*.ipynb"))
    if name.removesuffix(".ipynb") not in names:
        raise click.UsageError(f"No notebook of that name; there are {', '.join(names)}.")
