"""control/smtproutes: to which host the mail for a domain goes.

::

    example.org:127.0.0.1:2525            this domain to this host and port
    .example.net:127.0.0.1:2526           every host below this domain
    :127.0.0.1                            everything else; port 25
    slow.example:127.0.0.1:2527:600:60    a host that times out rests 600 s; timeouts within 60 s count once

Source: qmail-remote(8); IndiMail qmail-remote.c `getcontrols()`, `main()` (order of the look-up, last two fields).

Rule 1: text in, values out; whether a host may be reached is for `remote` to say.

Deviation:
    An IPv6 address stands in square brackets, ``[::1]``, and a user and password behind a route are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from indimail_kit.delivery.tcpto import MAX_TOLERANCE_S, MIN_BACKOFF_S
from indimail_kit.errors import FormatError

SMTP_PORT: Final = 25
"""Port where a route names none."""

_FORM: Final = "domain:host[:port[:min_backoff[:max_tolerance]]]"
_MAX_FIELDS: Final = 4


@dataclass(frozen=True, slots=True)
class Relay:
    """The host that takes the mail of a domain.

    Attributes:
        host: Address or name, as it stands in the file; an IPv6 address without its brackets.
        port: TCP port.
        min_backoff_s: How long it rests after two timeouts (unit: s), see `tcpto.is_resting`.
        max_tolerance_s: Within which time timeouts count once (unit: s).
    """

    host: str
    port: int = SMTP_PORT
    min_backoff_s: int = MIN_BACKOFF_S
    max_tolerance_s: int = MAX_TOLERANCE_S


@dataclass(frozen=True, slots=True)
class SmtpRoutes:
    """The routes.

    Attributes:
        relays: Domain in lower case, ".suffix", or "" for all others -> host. None stands for "look into the DNS".
    """

    relays: Mapping[str, Relay | None] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, *, source: str = "smtproutes") -> Self:
        r"""Read control/smtproutes; the first route of a domain counts.

        Args:
            text: The file.
            source: Its name, for errors.

        Raises:
            FormatError: A line breaks the form; it says which one.

        Example:
            >>> SmtpRoutes.parse("example.org:127.0.0.1:2525\n").find(b"Example.ORG")
            Relay(host='127.0.0.1', port=2525, min_backoff_s=3600, max_tolerance_s=120)
        """
        relays: dict[str, Relay | None] = {}
        for line_number, line in enumerate(text.split("\n"), start=1):
            stripped = line.rstrip(" \t")
            if stripped and not stripped.startswith("#"):
                domain, relay = _parse_line(stripped, line_number, source)
                relays.setdefault(domain.lower(), relay)
        return cls(relays)

    def find(self, domain: bytes) -> Relay | None:
        """Return the host for a domain: its own route, that of the longest ".suffix", that of all others; or None."""
        name = domain.decode("utf-8", "surrogateescape").lower()
        places = [0, *(place for place, letter in enumerate(name) if letter == "." and place), len(name)]
        for place in places:
            if name[place:] in self.relays:
                return self.relays[name[place:]]
        return None


def _parse_line(line: str, line_number: int, source: str) -> tuple[str, Relay | None]:
    domain, colon, rest = line.partition(":")
    host, fields = _split_host(rest)
    if not colon or len(fields) >= _MAX_FIELDS or any(letter.isspace() for letter in line):
        raise FormatError(_FORM, line_number=line_number, source=source)
    if not host:
        return domain, None
    try:
        port, min_backoff_s, max_tolerance_s = (
            int(text) if text else default
            for text, default in zip([*fields, "", "", ""], (SMTP_PORT, MIN_BACKOFF_S, MAX_TOLERANCE_S), strict=False)
        )
    except ValueError:
        raise FormatError(f"numbers in {_FORM}", line_number=line_number, source=source) from None
    if not 0 < port < 2**16 or max_tolerance_s < 0:
        raise FormatError(
            "a port from 1 to 65535, and a tolerance that is not negative", line_number=line_number, source=source
        )
    return domain, Relay(host, port, min_backoff_s, max_tolerance_s)


def _split_host(rest: str) -> tuple[str, list[str]]:
    """Return the host and the fields behind it."""
    if rest.startswith("["):
        host, _, behind = rest[1:].partition("]")
        return host, behind.split(":")[1:]
    host, *fields = rest.split(":")
    return host, fields
