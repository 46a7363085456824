"""A queue as HTML that needs no kernel and no widget: one message, a page of messages, the shape.

Rule 1: the HTML is what the widgets show, made by the same functions.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from indimail_kit import tables
from indimail_kit.widgets.auth_markup import heading_html, standalone
from indimail_kit.widgets.html import Html, tag
from indimail_kit.widgets.queue_markup import message_html
from indimail_kit.widgets.queue_message import open_message
from indimail_kit.widgets.queue_shape_grid import left_text, shape_html, shape_of

if TYPE_CHECKING:
    from indimail_kit.mailqueue.layout import QueueLayout
    from indimail_kit.mailqueue.picture import Snapshot
    from indimail_kit.widgets.queue_tables import Side


def queue_message_html(layout: QueueLayout, message_number: int, *, now_ns: int | None = None) -> Html:
    """Return one message of a queue: its files, what is wrong with it, its records octet by octet.

    Args:
        layout: Its queue.
        message_number: Its number; one that is not in the queue shows seven files that are not there.
        now_ns: The time (unit: ns since 1970); the clock's if not given.

    Raises:
        QueueError: The queue cannot be opened, or the number is that of no inode.
    """
    opened = open_message(layout, message_number, now_ns=time.time_ns() if now_ns is None else now_ns)
    return standalone(message_html(opened), label=f"{message_number} in {layout.name}")


def queue_shape_html(picture: Snapshot, by: Side = "recipient") -> Html:
    """Return domain × age of what waits as a heat map, the most frequent domains first.

    Args:
        picture: What `Queues.snapshot` returned.
        by: "recipient" counts the recipients that are not done; "sender" counts the messages.

    Raises:
        SchemaError: `by` is something else.
    """
    shape = shape_of(tables.qshape(picture, by=by), by)
    names = ", ".join(one.layout.name for one in picture.queues)
    more = tag("p", left_text(shape), cls="ik-more")
    title = "The shape of the queue"
    return standalone(heading_html(title, names), shape_html(shape), more, label=title)
