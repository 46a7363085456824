"""The key of a class: a trainer makes it, learners' kernels sign with it, and the trainer sees what was changed since.

Source: RFC 2104 (HMAC), with SHA-256; what a signature by a key that every learner has can prove, and what it cannot:
docs/decisions/0023-hand-in.md.

Rule 1: the key is in its file and in memory, and in nothing that is printed, saved or handed in.
Rule 2: what is signed is the document as it was read, so that nothing of it can be added, left out or changed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from indimail_kit.course.small_file import read_small_file
from indimail_kit.errors import FormatError

CLASS_KEY_VARIABLE: Final = "INDIMAIL_KIT_CLASS_KEY"
"""Environment variable with the path of the file that holds the class's key."""

MIN_KEY_BYTES: Final = 16
"""A shorter key could be guessed from one file that was handed in (unit: octets)."""

MAX_KEY_BYTES: Final = 4_096
"""A larger file is no key (unit: octets)."""

METHOD: Final = "HMAC-SHA-256"
"""Field "method" of a signature."""

_EXPECTED: Final = (
    f"a class key: one line of {MIN_KEY_BYTES} to {MAX_KEY_BYTES} octets, as `progress --new-key` makes it"
)
_NAME: Final = re.compile(r"[0-9a-f]{8}")
_VALUE: Final = re.compile(r"[0-9a-f]{64}")


class SignatureState(Enum):
    """What a signature says; the value is the word for it."""

    GOOD = "good"
    NONE = "none"
    WRONG = "wrong"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class ClassKey:
    """A class's key.

    Attributes:
        octets: The key itself, shown nowhere.
        name: Eight digits by which two keys are told apart; they do not tell the key.
    """

    octets: bytes = field(repr=False)
    name: str = field(init=False)

    def __post_init__(self) -> None:
        """Name the key."""
        object.__setattr__(self, "name", _hmac(self.octets, b"indimail-kit class key name")[:8])


def read_class_key(path: str | Path) -> ClassKey:
    """Return the key in a file; white space around it does not count.

    Raises:
        FormatError: It is no key; the error does not quote it.
        OSError: It cannot be read.
    """
    octets = read_small_file(path, max_bytes=MAX_KEY_BYTES, expected=_EXPECTED).strip()
    if len(octets) < MIN_KEY_BYTES or len(octets.splitlines()) != 1:
        raise FormatError(_EXPECTED, source=str(path))
    return ClassKey(octets)


def new_class_key(path: str | Path) -> ClassKey:
    """Write a new key into a file that only its owner can read; a file that is there stays.

    Raises:
        OSError: It cannot be written, or is there already.
    """
    octets = secrets.token_urlsafe(32).encode("ascii")
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(octets + b"\n")
    return ClassKey(octets)


def signed(document: Mapping[str, object], key: ClassKey) -> dict[str, object]:
    """Return a document with its signature."""
    frame = {"method": METHOD, "key": key.name}
    bare = {**document, "signature": frame}
    return {**document, "signature": {**frame, "value": _hmac(key.octets, canonical(bare))}}


def judge_signature(document: Mapping[str, object], key: ClassKey | None) -> tuple[SignatureState, str]:
    """Say what a document's signature is worth, and why it is wrong.

    Args:
        document: As it was read, with or without a signature.
        key: The class's key, None to check nothing.
    """
    if "signature" not in document:
        return SignatureState.NONE, ""
    if key is None:
        return SignatureState.NOT_CHECKED, ""
    signature = document["signature"]
    if not isinstance(signature, dict) or set(signature) != {"method", "key", "value"}:
        return SignatureState.WRONG, "the signature is damaged"
    name, value = signature["key"], signature["value"]
    if not isinstance(name, str) or not isinstance(value, str) or not _NAME.fullmatch(name):
        return SignatureState.WRONG, "the signature is damaged"
    if name != key.name:
        return SignatureState.WRONG, f"signed with another key, {name}; yours is {key.name}"
    bare = {**document, "signature": {"method": signature["method"], "key": name}}
    try:
        due = _hmac(key.octets, canonical(bare))
    except (ValueError, RecursionError):  # numbers that are none, or nested too deep: we sign no such thing
        return SignatureState.WRONG, "changed since it was signed"
    if signature["method"] == METHOD and _VALUE.fullmatch(value) and hmac.compare_digest(due, value):
        return SignatureState.GOOD, ""
    return SignatureState.WRONG, "changed since it was signed"


def canonical(document: Mapping[str, object]) -> bytes:
    r"""Return a document as the same octets, however it was laid out.

    Raises:
        ValueError: It holds a number that JSON does not have.

    Example:
        >>> canonical({"b": 1, "a": "é"})
        b'{"a":"\\u00e9","b":1}'
    """
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode(
        "ascii"
    )


def _hmac(key: bytes, octets: bytes) -> str:
    return hmac.new(key, octets, hashlib.sha256).hexdigest()
