"""control/smtproutes."""

from __future__ import annotations

import pytest

from indimail_kit.delivery.smtproutes import Relay, SmtpRoutes
from indimail_kit.errors import FormatError

TEXT = """\
# where the mail of others goes
example.org:127.0.0.1:2525
Example.NET:127.0.0.2

.example.net:[::1]:2526
slow.example:127.0.0.1:2527:600:60
far.example:
:127.0.0.3:2528
example.org:127.0.0.9
"""


@pytest.mark.parametrize(
    ("domain", "relay"),
    [
        (b"example.org", Relay("127.0.0.1", 2525)),
        (b"EXAMPLE.net", Relay("127.0.0.2", 25)),
        (b"a.b.example.net", Relay("::1", 2526)),
        (b"slow.example", Relay("127.0.0.1", 2527, 600, 60)),
        (b"far.example", None),
        (b"other.example", Relay("127.0.0.3", 2528)),
        (b"", Relay("127.0.0.3", 2528)),
        (b"b\xfc.example", Relay("127.0.0.3", 2528)),
    ],
    ids=["own", "case", "suffix", "rest", "DNS", "all others", "no domain", "8 bits"],
)
def test_domain_finds_its_host(domain: bytes, relay: Relay | None) -> None:
    """Its own route counts first, then the longest suffix, then the one for all others; of two the first."""
    assert SmtpRoutes.parse(TEXT).find(domain) == relay


def test_without_routes_nobody_is_found() -> None:
    """An empty file has none."""
    assert (SmtpRoutes.parse("").find(b"example.org"), SmtpRoutes().find(b"")) == (None, None)


def test_shorter_suffix_yields_to_the_longer_one() -> None:
    """As in qmail-remote, the look-up goes from the left."""
    routes = SmtpRoutes.parse(".org:127.0.0.1:1\n.example.org:127.0.0.1:2\n")
    assert [routes.find(domain) for domain in (b"mx.example.org", b"mx.example2.org")] == [
        Relay("127.0.0.1", 2),
        Relay("127.0.0.1", 1),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "example.org",
        "example.org:127.0.0.1:25:1:2:3",
        "example.org:127.0.0.1:smtp",
        "example.org:127.0.0.1:0",
        "example.org:127.0.0.1:65536",
        "example.org:127.0.0.1:25:3600:-1",
        "example.org:127.0.0.1:25 user password",
        "example.org 127.0.0.1:25",
    ],
)
def test_line_that_breaks_the_form_is_named(line: str) -> None:
    """The error says which line of which file."""
    with pytest.raises(FormatError, match=r"control/smtproutes, line 3: expected "):
        SmtpRoutes.parse(f"\n# a comment\n{line}\n", source="control/smtproutes")
