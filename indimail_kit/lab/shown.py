r"""Octets of a session and of files as text that may be shown to anybody. Pure.

Rule 1: a dialogue goes through `auth.redact` first; no secret leaves this module.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from indimail_kit.auth.redact import redact

if TYPE_CHECKING:
    from indimail_kit.auth.transcript import WireChunk

MAX_RAW_BYTES: Final = 8192
"""Most of one file that a station shows (unit: octets); the whole is in the lab's directory."""

MAX_SAID_BYTES: Final = 4096
"""Most of what was said at once that a dialogue shows (unit: octets)."""


def as_text(octets: bytes, *, limit: int = MAX_RAW_BYTES) -> str:
    r"""Return octets as text: UTF-8, other octets escaped, NUL as ``\0``, cut at a limit with a word about it."""
    text = octets[:limit].decode("utf-8", "backslashreplace").replace("\0", "\\0")
    cut = len(octets) - limit
    return text if cut <= 0 else f"{text}\n… {cut} more octets"


def dialogue(chunks: Iterable[WireChunk]) -> str:
    """Return a session, its secrets masked, as lines that begin with ``S:`` or ``C:``."""
    lines: list[str] = []
    for chunk in redact(chunks):
        mark = "C: " if chunk.direction == "client" else "S: "
        text = as_text(chunk.octets, limit=MAX_SAID_BYTES).replace("\r\n", "\n").rstrip("\n")
        lines += [mark + line for line in text.split("\n")]
    return "\n".join(lines)
