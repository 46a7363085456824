"""delivery: where does the mail go? The room of qmail-send, behind the queue and in front of the logs.

A queued message (S4) is preprocessed into recipients here and elsewhere (S5); each recipient is tried until the mail is
delivered, has failed for good, or is too old; whoever sent a mail that failed is told; then nothing of it is left (S1).

::

    with QmailSend([layout], local=LocalDelivery(locals={"example.com"}, users={…}), log=log):
        ...                                   # mail that enters the queue is delivered now

`schedule`, `routing`, `bounce`, `vfilter`, `vfilter_match`, `ere`, `expression`, `smtproutes` and `smtp_reply` decide
and touch nothing; `maildir`, `local`, `remote`, `preprocess`, `ending` and `cleanup` do deeds; `queuerun` is the loop
on one queue, `send` the whole.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from indimail_kit.delivery.bounce import BouncePlan as BouncePlan
    from indimail_kit.delivery.bounce import BounceSettings as BounceSettings
    from indimail_kit.delivery.bounce import bounce_block as bounce_block
    from indimail_kit.delivery.bounce import plan_bounce as plan_bounce
    from indimail_kit.delivery.bounce import render_bounce as render_bounce
    from indimail_kit.delivery.events import Delivery as Delivery
    from indimail_kit.delivery.events import Report as Report
    from indimail_kit.delivery.events import SendEvent as SendEvent
    from indimail_kit.delivery.local import LocalDelivery as LocalDelivery
    from indimail_kit.delivery.maildir import create_maildir as create_maildir
    from indimail_kit.delivery.maildir import folder_path as folder_path
    from indimail_kit.delivery.preprocess import Preprocessed as Preprocessed
    from indimail_kit.delivery.preprocess import plan_preprocessing as plan_preprocessing
    from indimail_kit.delivery.recording import record_delivery as record_delivery
    from indimail_kit.delivery.remote import RemoteDelivery as RemoteDelivery
    from indimail_kit.delivery.repeats import Repeat as Repeat
    from indimail_kit.delivery.routing import Route as Route
    from indimail_kit.delivery.routing import Routing as Routing
    from indimail_kit.delivery.schedule import attempt_ages_s as attempt_ages_s
    from indimail_kit.delivery.schedule import next_retry_s as next_retry_s
    from indimail_kit.delivery.send import QmailSend as QmailSend
    from indimail_kit.delivery.smtproutes import Relay as Relay
    from indimail_kit.delivery.smtproutes import SmtpRoutes as SmtpRoutes
    from indimail_kit.delivery.vfilter import COMPARISION_NAMES as COMPARISION_NAMES
    from indimail_kit.delivery.vfilter import HEADERS as HEADERS
    from indimail_kit.delivery.vfilter import Comparision as Comparision
    from indimail_kit.delivery.vfilter import FilterRule as FilterRule
    from indimail_kit.delivery.vfilter import VcfilterCommand as VcfilterCommand
    from indimail_kit.delivery.vfilter import format_command as format_command
    from indimail_kit.delivery.vfilter import parse_command as parse_command
    from indimail_kit.delivery.vfilter_match import FilterDecision as FilterDecision
    from indimail_kit.delivery.vfilter_match import decide as decide
    from indimail_kit.delivery.vfilter_match import read_headers as read_headers

_HOMES: Final = {
    "bounce": (
        "BouncePlan",
        "BounceSettings",
        "bounce_block",
        "plan_bounce",
        "render_bounce",
    ),
    "events": (
        "Delivery",
        "Report",
        "SendEvent",
    ),
    "local": ("LocalDelivery",),
    "maildir": (
        "create_maildir",
        "folder_path",
    ),
    "preprocess": (
        "Preprocessed",
        "plan_preprocessing",
    ),
    "recording": ("record_delivery",),
    "remote": ("RemoteDelivery",),
    "repeats": ("Repeat",),
    "routing": (
        "Route",
        "Routing",
    ),
    "schedule": (
        "attempt_ages_s",
        "next_retry_s",
    ),
    "send": ("QmailSend",),
    "smtproutes": (
        "Relay",
        "SmtpRoutes",
    ),
    "vfilter": (
        "COMPARISION_NAMES",
        "HEADERS",
        "Comparision",
        "FilterRule",
        "VcfilterCommand",
        "format_command",
        "parse_command",
    ),
    "vfilter_match": (
        "FilterDecision",
        "decide",
        "read_headers",
    ),
}
"""Module of this room -> the public names that live there; each is imported when it is first asked for."""

__all__ = [
    "COMPARISION_NAMES",
    "HEADERS",
    "BouncePlan",
    "BounceSettings",
    "Comparision",
    "Delivery",
    "FilterDecision",
    "FilterRule",
    "LocalDelivery",
    "Preprocessed",
    "QmailSend",
    "Relay",
    "RemoteDelivery",
    "Repeat",
    "Report",
    "Route",
    "Routing",
    "SendEvent",
    "SmtpRoutes",
    "VcfilterCommand",
    "attempt_ages_s",
    "bounce_block",
    "create_maildir",
    "decide",
    "folder_path",
    "format_command",
    "next_retry_s",
    "parse_command",
    "plan_bounce",
    "plan_preprocessing",
    "read_headers",
    "record_delivery",
    "render_bounce",
]


def __getattr__(name: str) -> Any:
    """Import a public name, or a module of the room, when it is first asked for."""
    if name in _HOMES:
        return importlib.import_module(f"indimail_kit.delivery.{name}")
    for module_name, names in _HOMES.items():
        if name in names:
            value = getattr(importlib.import_module(f"indimail_kit.delivery.{module_name}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'indimail_kit.delivery' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
