"""A recorded chunk."""

from __future__ import annotations

from indimail_kit.auth.transcript import WireChunk


def test_repr_shows_no_octets() -> None:
    """The octets hold passwords, so a chunk's repr has only time and direction."""
    assert repr(WireChunk(7, "client", b"secret")) == "WireChunk(unix_ns=7, direction='client')"
