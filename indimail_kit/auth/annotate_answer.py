"""One message of an exchange: what it should be, and what its Base64 says.

Source: RFC 4954 section 4 (``=``, ``*``, Base64); the mechanisms' own documents for the order of their messages.

Rule 1: what was not Base64 is secret, unless it is an address where a user was asked for.
"""

from __future__ import annotations

import re
from typing import Final

from indimail_kit.auth import annotate_parts as parts
from indimail_kit.auth.annotate_base64 import examine
from indimail_kit.auth.annotate_model import Draft, Exchange, Field, Message

FRAMING: Final = "RFC 4954 section 4"

_MASKED: Final = re.compile(r"\*{2,}|[xX]{5,}|<[a-z _-]*>|\[[A-Za-z _-]*\]|\.{3,}|(?:REDACTED|redacted)", re.DOTALL)

_SPECIAL: Final = {"*": ("cancel", "cancel"), "=": ("equals", "empty response")}
"""Token -> (kind of message, role). Source: RFC 4954 section 4."""

# Mechanism -> kinds of the client's messages, in order; the last one goes on.
_KINDS: Final = {
    "LOGIN": ("login user", "login passwd"),
    "PLAIN": ("plain", "response"),
    "DIGEST-MD5": ("digest response", "empty"),
    "SCRAM": ("scram client-first", "scram client-final", "empty"),
    "CRAM": ("cram response", "response"),
    "XOAUTH2": ("xoauth2", "empty"),
    "OAUTHBEARER": ("oauthbearer", "empty"),
}
GUESSED: Final = {
    "prompt": "LOGIN",
    "cram challenge": "CRAM-MD5",
    "digest challenge": "DIGEST-MD5",
    "scram server-first": "SCRAM-SHA-256",
    "token error": "XOAUTH2",
}
"""Kind of a challenge -> mechanism, where the text begins in the middle of an exchange."""


def take_message(draft: Draft, kind: str, *, is_initial: bool) -> Message:
    """Take the token of a client's line: what RFC 4954 gives a meaning of its own, or Base64."""
    special = _SPECIAL.get(draft.token)
    if special is not None:
        its_kind, role = special
        draft.fields = (Field(0, 1, role, FRAMING),)
        return Message(kind=its_kind, draft=draft, is_initial=is_initial)
    if _MASKED.fullmatch(draft.token):
        draft.fields = (Field(0, len(draft.token), "masked in the record", "the program that wrote it"),)
        return Message(kind=kind, draft=draft, faults=("masked",), is_initial=is_initial)
    return decode_message(draft, kind, is_initial=is_initial)


def decode_message(draft: Draft, kind: str, *, is_initial: bool) -> Message:
    """Take the Base64 of a client's line apart and say what kind of message it is."""
    token = draft.token
    view = examine(token)
    draft.octets, draft.positions = view.octets, view.positions
    if view.octets is None:
        is_user = kind == "login user" and parts.looks_like_address(token.encode("utf-8", "replace"))
        role = "user" if is_user else "not Base64"
        draft.fields = (Field(0, len(token), role, f"not allowed by {FRAMING}", is_secret=not is_user),)
        return Message(kind=kind, draft=draft, faults=view.faults, is_initial=is_initial, user=token if is_user else "")
    draft.fields = tuple(parts.KINDS[kind](view.octets))
    user, secret = "", None
    for one in draft.fields:
        octets = view.octets[one.start : one.end]
        if one.role == "user":
            user = octets.strip(b'"').decode("utf-8", "backslashreplace")
        elif one.role in ("password", "token"):
            secret = octets
    return Message(kind=kind, draft=draft, faults=view.faults, is_initial=is_initial, user=user, secret=secret)


def message_kind(exchange: Exchange, *, is_initial: bool) -> str:
    """Say what the client's next message should be."""
    name = exchange.mechanism
    kinds = _KINDS.get(name) or _KINDS.get(name.partition("-")[0], ("response",))
    if name == "LOGIN" and not is_initial and exchange.challenges:
        prompt = exchange.challenges[-1][0].lower()
        if b"pass" in prompt:
            return "login passwd"
        if b"user" in prompt or b"login" in prompt:
            return "login user"
    if name.startswith("CRAM") and is_initial:
        return "response"
    count = sum(1 for message in exchange.messages if message.kind in kinds)
    return kinds[min(count, len(kinds) - 1)]


def challenge_kind(mechanism: str, octets: bytes) -> str:
    """Say what the server asks."""
    guessed = parts.guess_kind(octets)
    if mechanism == "LOGIN":
        return "prompt"
    if mechanism.startswith("CRAM"):
        return "cram challenge"
    if mechanism.startswith("SCRAM") and not guessed.startswith("scram"):
        return "challenge"
    return guessed if guessed in parts.SERVER_KINDS else "challenge"
