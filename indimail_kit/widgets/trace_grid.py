"""The part of TraceView that a browser draws itself: the field, the verdict, the rows, the raw octets."""

from __future__ import annotations

import traitlets as t

from indimail_kit.widgets.drawn import DrawnByMessage
from indimail_kit.widgets.scripts import SWITCHES, TABLE_PARTS, script


class TraceGrid(DrawnByMessage):
    """The field to ask in, one page of rows, an opened row's octets.

    Nothing of a log or mail is a trait: what is drawn goes to the page as a message, so that no saved notebook has it.

    Attributes:
        page: Which page, from 1.
        opened: What is open: "e3"; "" for nothing.
    """

    _esm = script("trace_view.js", SWITCHES, TABLE_PARTS)

    page = t.Int(1, min=1).tag(sync=True)
    opened = t.Unicode("").tag(sync=True)
