"""Names that a low room may ask for without importing the room above it.

The rooms import downwards only (see the package docstring), yet `log.deliveries` must be a DataFrame although
pandas starts in `tables`. So the low room asks here by name, and the high room is imported at that moment.

Rule 1: an entry is "module:function", never an object, so that nothing heavy is imported early.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Final

PROVIDERS: Final = {
    "event_columns_frame": "indimail_kit.tables.log_frames:event_columns_frame",
    "delivery_columns_frame": "indimail_kit.tables.log_frames:delivery_columns_frame",
    "message_columns_frame": "indimail_kit.tables.log_frames:message_columns_frame",
    "freshclam_runs_frame": "indimail_kit.tables.frames:freshclam_runs_frame",
    "clamd_reloads_frame": "indimail_kit.tables.frames:clamd_reloads_frame",
    "queue_messages_frame": "indimail_kit.tables.queue_frames:messages",
    "text_frame": "indimail_kit.tables.frames:text_frame",
    "tag": "indimail_kit.widgets.html:tag",
    "block": "indimail_kit.widgets.html:block",
    "grid_html": "indimail_kit.widgets.grid:grid_html",
    "trace_html": "indimail_kit.widgets.trace_markup:trace_html",
    "journey_html": "indimail_kit.widgets.markup:journey_html",
}
"""Wish -> "module:function" that grants it."""


def provider(wish: str) -> Callable[..., Any]:
    """Return the function that grants a wish; KeyError for an unknown one (a programmer's error)."""
    module_name, _, function_name = PROVIDERS[wish].partition(":")
    granted: Callable[..., Any] = getattr(importlib.import_module(module_name), function_name)
    return granted


def html_of(result: object) -> str:
    """Return the one-line repr of a result as HTML, through the one escaping door; for ``_repr_html_``."""
    return str(provider("tag")("pre", repr(result)))
