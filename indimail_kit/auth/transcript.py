"""The recording of a dialogue: who sent which octets when.

Rule 1: a chunk holds secrets, so its repr shows none of its octets; whatever is printed went through `redact`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["client", "server"]
"""Who sent the octets."""


@dataclass(frozen=True, slots=True)
class WireChunk:
    """Octets that went over the wire at once.

    Attributes:
        unix_ns: When (unit: ns since 1970).
        direction: Who sent them.
        octets: What went over the wire, line ends included.
    """

    unix_ns: int
    direction: Direction
    octets: bytes = field(repr=False)
