"""``notebook``: JupyterLab on the notebooks, on loopback."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from indimail_kit.errors import MissingPartError

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


def lab_arguments(notebooks: Path, extra: tuple[str, ...], *, is_root: bool) -> list[str]:
    """Return the argument vector for JupyterLab: loopback only, the project as its root."""
    arguments = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={notebooks.parent}",
    ]
    arguments.append(f"--LabApp.default_url=/lab/tree/{notebooks.name}/{START}")
    if is_root:
        arguments.append("--ServerApp.allow_root=True")
    return [*arguments, *extra]


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]})
@click.argument("jupyter_args", nargs=-1, type=click.UNPROCESSED)
def notebook(jupyter_args: tuple[str, ...]) -> None:
    """Open JupyterLab on the first notebook; further arguments go to JupyterLab (--no-browser, --port 8900)."""
    if find_spec("jupyterlab") is None:
        raise MissingPartError(
            "JupyterLab", "Install it with: pip install 'indimail-kit[lab,widgets]', or run make lab."
        )
    arguments = lab_arguments(find_notebooks(), jupyter_args, is_root=os.geteuid() == 0)
    os.execv(arguments[0], arguments)  # noqa: S606 - an argument vector of our own, no shell
