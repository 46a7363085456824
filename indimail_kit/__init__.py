"""indimail-kit: see a mail server think.

The folders are the path of one message::

    client ──► auth ──► control ──► qhpsi ──► mailqueue ──► delivery ──► logs ──► tables ──► trace ──► widgets ──► you
    telnet     who      what applies is it     where does    where does   what      pandas    one        Jupyter
               are you? to you?      safe?     it wait?      it go?       happened?           message

Each room is imported when it is first used::

    import indimail_kit as kit

    with kit.lab.Lab(seed=1) as lab:
        journey = lab.send(sender="postmaster@example.com", recipient="bob@example.com", body="Hello")

Rule 1: nothing heavy (pandas, SQLAlchemy, aiosmtpd, Jupyter) is imported before it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from indimail_kit import admin as admin
    from indimail_kit import auth as auth
    from indimail_kit import control as control
    from indimail_kit import course as course
    from indimail_kit import delivery as delivery
    from indimail_kit import lab as lab
    from indimail_kit import logs as logs
    from indimail_kit import mailqueue as mailqueue
    from indimail_kit import qhpsi as qhpsi
    from indimail_kit import tables as tables
    from indimail_kit import trace as trace
    from indimail_kit import widgets as widgets

__version__ = "0.1.0"

ROOMS: Final = (
    "auth",
    "control",
    "qhpsi",
    "mailqueue",
    "delivery",
    "logs",
    "tables",
    "trace",
    "lab",
    "admin",
    "course",
    "widgets",
)
"""The rooms in the order in which a message sees them."""

_CORE: Final = ("envelope", "errors", "exitcodes", "tai64", "visible")

__all__ = [
    "ROOMS",
    "__version__",
    "admin",
    "auth",
    "control",
    "course",
    "delivery",
    "envelope",
    "errors",
    "exitcodes",
    "lab",
    "logs",
    "mailqueue",
    "qhpsi",
    "tables",
    "tai64",
    "trace",
    "visible",
    "widgets",
]


def __getattr__(name: str) -> Any:
    """Import a room when it is first asked for."""
    if name in ROOMS or name in _CORE:
        return importlib.import_module(f"indimail_kit.{name}")
    raise AttributeError(f"module 'indimail_kit' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, rooms included."""
    return sorted(__all__)
