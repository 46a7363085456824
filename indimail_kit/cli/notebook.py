"""``notebook``: JupyterLab on the notebooks, or one of them as a page without code; on loopback."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from indimail_kit.errors import MissingPartError

if TYPE_CHECKING:
    from indimail_kit.cli.notebook_page import NotebookPage

START = "00_start_here.ipynb"
"""The notebook that opens first."""


def find_notebooks() -> Path:
    """Return the directory of the notebooks: of the source tree, or below the working directory.

    Raises:
        MissingPartError: There is none.
    """
    for directory in (Path(__file__).resolve().parents[2] / "notebooks", Path.cwd() / "notebooks", Path.cwd()):
        if (directory / START).is_file():
            return directory
    raise MissingPartError(
        f"the notebook {START}", "Run this in the project's directory, or take the notebooks from its source archive."
    )


def lab_arguments(
    notebooks: Path, extra: tuple[str, ...], *, is_root: bool, page: NotebookPage | None = None
) -> list[str]:
    """Return the argument vector for JupyterLab: loopback only, the project, or the page, as its root.

    Args:
        notebooks: The directory of the notebooks.
        extra: More arguments.
        is_root: Whether we are root.
        page: The page to show; the first notebook if not given.
    """
    root, url = (notebooks.parent, f"/lab/tree/{notebooks.name}/{START}") if page is None else (page.root, page.url)
    arguments = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={root}",
    ]
    arguments.append(f"--LabApp.default_url={url}")
    if page is not None:
        arguments += page.options
    if is_root:
        arguments.append("--ServerApp.allow_root=True")
    return [*arguments, *extra]


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]})
@click.option("--page", "page_name", metavar="NAME", help="This notebook as a page without code: 10_admin.")
@click.argument("jupyter_args", nargs=-1, type=click.UNPROCESSED)
def notebook(page_name: str | None, jupyter_args: tuple[str, ...]) -> None:
    """Open JupyterLab on the first notebook; further arguments go to JupyterLab (--no-browser, --port 8900).

    With --page it shows one notebook alone, without its code, as a copy in a private directory.
    """
    if find_spec("jupyterlab") is None:
        raise MissingPartError(
            "JupyterLab", "Install it with: pip install 'indimail-kit[lab,widgets]', or run make lab."
        )
    notebooks, page = find_notebooks(), None
    if page_name is not None:
        from indimail_kit.cli.notebook_page import check_name, prepare_page

        check_name(notebooks, page_name)
        page = prepare_page(notebooks, page_name)
    arguments = lab_arguments(notebooks, jupyter_args, is_root=os.geteuid() == 0, page=page)
    environment = {**os.environ, **(page.environment if page is not None else {})}
    os.execve(arguments[0], arguments, environment)  # noqa: S606 - an argument vector of our own, no shell
