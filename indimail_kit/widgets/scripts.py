"""The widgets' scripts: the one place that loads them."""

from __future__ import annotations

import importlib.resources

COMMON = "common.js"
"""What every script may call."""


SWITCHES = "switches.js"
"""Switches that show the variables they set; asked for by name."""

QUEUE_PARTS = "queue_parts.js"
"""How old a picture of the queue is, and the command that shows the same; asked for by name."""

TABLE_PARTS = "table_parts.js"
"""A table of pages with rows to walk through; asked for by name."""

LOG_PARTS = "log_parts.js"
"""The drop zone and the brush of LogExplorer; asked for by name."""


def script(name: str, *parts: str) -> str:
    """Return a script of this folder with the common one before it: one module, as anywidget wants it.

    Args:
        name: Name of a file of this folder, for example "rail.js".
        parts: Files with what some scripts share, put between the two.

    Raises:
        FileNotFoundError: There is no such script.
    """
    folder = importlib.resources.files(__package__)
    return "\n".join(folder.joinpath(part).read_text(encoding="utf-8") for part in (COMMON, *parts, name))
