"""auth: who are you? The first room on a message's way; the client proves it to the server.

::

    ► auth ◄ ──► control ──► qhpsi ──► mailqueue ──► delivery ──► logs

``plain``, ``login``, ``cram``, ``digest_md5``, ``scram`` and ``xoauth2`` are the mechanisms, ``mechanisms`` is their
table; ``framing`` is Base64 and the rest of RFC 4954's lines; ``smtp_auth`` plays one exchange, server or client,
without I/O, strictly or with the faults of ``indimail_bugs``; ``stored``, ``crypt3`` and ``accounts`` are the user
table; ``authority``, ``checkpassword``, ``checkpassword_run`` and ``pam_service`` decide who comes in; ``transcript``
and ``redact`` keep a dialogue and take its secrets out.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Final

from indimail_kit.auth import cram as cram
from indimail_kit.auth import digest_md5 as digest_md5
from indimail_kit.auth import framing as framing
from indimail_kit.auth import login as login
from indimail_kit.auth import mechanisms as mechanisms
from indimail_kit.auth import plain as plain
from indimail_kit.auth import redact as redact
from indimail_kit.auth import scram as scram
from indimail_kit.auth import transcript as transcript
from indimail_kit.auth import xoauth2 as xoauth2
from indimail_kit.auth.accounts import UserTable as UserTable
from indimail_kit.auth.mechanisms import MECHANISMS as MECHANISMS
from indimail_kit.auth.mechanisms import Mechanism as Mechanism
from indimail_kit.auth.mechanisms import find_mechanism as find_mechanism
from indimail_kit.auth.smtp_auth import AuthResult as AuthResult
from indimail_kit.auth.smtp_auth import Challenge as Challenge
from indimail_kit.auth.smtp_auth import ClientExchange as ClientExchange
from indimail_kit.auth.smtp_auth import Reply as Reply
from indimail_kit.auth.smtp_auth import ServerExchange as ServerExchange
from indimail_kit.auth.stored import Account as Account
from indimail_kit.auth.transcript import WireChunk as WireChunk

_LAZY: Final = ("annotate", "derivation", "eavesdrop")

__all__ = [
    "MECHANISMS",
    "Account",
    "AuthResult",
    "Challenge",
    "ClientExchange",
    "Mechanism",
    "Reply",
    "ServerExchange",
    "UserTable",
    "WireChunk",
    "cram",
    "digest_md5",
    "find_mechanism",
    "framing",
    "login",
    "mechanisms",
    "plain",
    "redact",
    "scram",
    "transcript",
    "xoauth2",
]


def __getattr__(name: str) -> ModuleType:
    """Import the modules that are only sometimes wanted when they are first asked for."""
    if name in _LAZY:
        return importlib.import_module(f"indimail_kit.auth.{name}")
    raise AttributeError(f"module 'indimail_kit.auth' has no attribute {name!r}")
