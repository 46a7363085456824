"""Free text of a log with every word taken out that is not one of the programs' own.

What a remote host says, a subject, a file name, a name in a warning: strangers' words, and nobody can tell which of
them are harmless. So only the words stay that qmail, IndiMail, tcpserver and ClamAV use themselves (the fixed words of
the forms, and WORDS), reply codes, status codes, counts, and pseudonyms for addresses, hosts and IP addresses.

Rule 1: what is not known goes: a new word of a program is lost rather than a stranger's name shown.
Rule 2: underscores count as blanks, because qmail-send logs reports so.
"""

from __future__ import annotations

import ipaddress
import re
from functools import cache
from typing import Final

from indimail_kit.logs.grammar import FORMS
from indimail_kit.logs.pseudonyms import Pseudonyms

GONE: Final = b"*"
"""What stands for words that were taken out."""

WORDS: Final = frozenset(
    """
    a able abort aborted about accept accepted access after again alert alerts alias all already alternate am an
    and any archive are around as at auth authentication away back bad be because been before better big bogosity
    bounce bounces but by bytecode bytes called came can cannot cdiff certificate characters child choice clamav
    clamd cld client closed cname code command communication completed conf connect connected connection contact
    contains control copy could couldn't crashed current cvd cvdhead daemon daily dat data database defer deferral
    deferred deleted deliver delivered deliveries delivery denied despite detection did didn't died directory disk
    dns do does doesn't dot down dropped during eai ehlo elf empty encrypted end ended error errors establish
    exceeded exec executable exist exit exited exiting extended failed failure fatal file files find for fork
    formats forward found freshclam from full fuzzy get getting give giving go going got group had ham handshake
    has hash have hdb held helo here heuristic heuristics high home host hosts how hsb html hwp3 i i'm if image in
    incorrect info input instance internal into invalid is it jobs key kill killed known large later ldb lease
    length less like limit line link list listed load local lock locked long lookup loop looping made mail mailbox
    mailboxes maildir mailfiles main make malformed mangled many may mechanism memory mess message messages missing
    more move much mx my name named names ndb need network never new next no nobody not now number of off ok old
    ole2 on one onenote only open opened or out output over overloaded override path pdf permanent permanently
    permission permitted pid pipe plugin policy portable possible problem process processing program protocol qmail
    qmtp qp qq queue quiet quit quota ran rate ratelimit rcpt reached read reading recipient recipients refused
    reject rejected relay remote remove removed rename report required reset resource response rest restart retry
    return routing rules run running said sanity scan scanner scanning scram sender sending sent server service set
    shutdown sig signal signatures size slow smtp smtpd so sock socket some sorry space spam spamicity split ssl
    start started starting stat state still stop stopped such support supported swf syntax system table take
    tcpserver temporarily temporary than that the them there they this time timed timeout tls to todo too tried
    trouble try trying type unable uncommunicative unexpected unknown unlink unsure until up update updated use
    used user users usual valid verify version virus wait waiting was wasn't way we when while who will with within
    without won work would write writing wrong xmldocs yes yet you your
    """.split()  # noqa: SIM905 - a list of words is read and kept more easily than a list of literals
)
"""Words of the programs' own, in lower case."""

_TOKEN: Final = re.compile(
    rb"<(?P<bracket>[^<>]*)>"
    rb"|(?P<address>[^\s_<>,;:()\[\]\"'/=]+@(?:\[[^\s\]]*\]|[^\s_<>,;:()\[\]\"'/]+))"
    rb"|(?P<join>\b(?:qp|pid)[_ ][0-9]{1,18}(?![0-9A-Za-z]))"
    rb"|(?P<colons>[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)"
    rb"|(?P<numbers>[0-9]+(?:\.[0-9]+)+(?![0-9A-Za-z-]))"
    rb"|(?P<host>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)+)"
    rb"|(?P<count>[0-9]{1,3}(?![0-9A-Za-z]))"
    rb"|(?P<word>[0-9A-Za-z\x80-\xff]+(?:'[a-z]{1,2}(?![0-9A-Za-z]))?)"
    rb"|(?P<sign>[- _.,:;()\[\]/#+=!?\"'*|])"
    rb"|(?P<other>.)",
    re.DOTALL,
)
_GONE_RUN: Final = re.compile(rb"\*(?:[-\s_'*]*\*)+")
_WORD: Final = re.compile(rb"[0-9A-Za-z]+")
_CODE: Final = re.compile(rb"[2-5][0-9][0-9](?![0-9])(?:[-_ ]#?[245]\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9.]))?")
_SMALL_NUMBERS: Final = re.compile(rb"[0-9]{1,2}\.[0-9]{1,3}\.[0-9]{1,3}|[0-9]{1,2}\.[0-9]{1,12}")
_SAID: Final = b"Remote_host_said:_"
_OWN_AGAIN: Final = (b"Giving_up_on_", b"I'm_not_going_to_try_again", b"STARTTLS_proto")
_FILE_ENDS: Final = frozenset({b"cvd", b"cld", b"cdiff", b"ndb", b"hdb", b"hsb", b"ldb", b"dat", b"conf", b"sock"})


@cache
def own_words() -> frozenset[bytes]:
    """Return the words that stay, in lower case: those of the forms, and WORDS."""
    fixed = (piece.octets for form in FORMS.values() for part in form.parts for piece in part.pieces)
    words = {word.lower() for octets in fixed for word in _WORD.findall(octets) if not word.isdigit()}
    return frozenset(words | {word.encode() for word in WORDS})


def _host(name: bytes, names: Pseudonyms) -> bytes:
    """Return a dotted name as a host's pseudonym, unless it is a file of the programs' own, or words with dots."""
    parts = name.lower().split(b".")
    if parts[-1] in _FILE_ENDS and all(part in own_words() for part in parts):
        return name
    return names.host(name)


def _numbers(octets: bytes, names: Pseudonyms) -> bytes:
    """Return an IP address's pseudonym; a status code, a version or a fraction as it is; nothing of the rest."""
    if _SMALL_NUMBERS.fullmatch(octets):
        return octets
    try:
        ipaddress.IPv4Address(octets.decode())
    except ValueError:
        return GONE
    return names.ip(octets)


def _colons(octets: bytes, names: Pseudonyms) -> bytes:
    """Return an IPv6 address's pseudonym; nothing of a time of day."""
    bare = octets.rstrip(b".:") if not octets.endswith(b"::") else octets
    try:
        ipaddress.IPv6Address(bare.decode())
    except ValueError:
        return GONE
    return names.ip(bare) + octets[len(bare) :]


def _token(match: re.Match[bytes], names: Pseudonyms) -> bytes:
    kind, octets = match.lastgroup, match[0]
    if kind == "bracket":
        inner = match["bracket"]
        return b"<" + (names.address(inner) if b"@" in inner else redact_text(inner, names)) + b">"
    if kind == "address":
        bare = octets.rstrip(b".")
        return names.address(bare) + octets[len(bare) :]
    if kind == "colons":
        return _colons(octets, names)
    if kind == "numbers":
        return _numbers(octets, names)
    if kind == "host":
        return _host(octets, names)
    if kind == "word":
        return octets if octets.lower() in own_words() else GONE
    return octets if kind in ("join", "count", "sign") else GONE


def redact_text(octets: bytes, names: Pseudonyms) -> bytes:
    """Return free text without strangers' words."""
    return _GONE_RUN.sub(GONE, _TOKEN.sub(lambda match: _token(match, names), octets))


def redact_report(report: bytes, names: Pseudonyms) -> bytes:
    """Return a delivery's report: of what the remote host said only its codes.

    Source:
        qmail-remote.c outsmtptext(): the reply stands behind "Remote host said: ", its lines parted by ``/``.
    """
    own, said, rest = report.partition(_SAID)
    if not said:
        return redact_text(report, names)
    segments = []
    for segment in rest.split(b"/"):
        code = _CODE.match(segment)
        if segment.startswith(_OWN_AGAIN):
            segments.append(redact_text(segment, names))
        elif code:
            segments.append(code[0] + (b"_" + GONE if len(segment) > code.end() else b""))
        elif segment:
            segments.append(GONE)
    return redact_text(own, names) + said + b"/".join(segments) + (b"/" if report.endswith(b"/") else b"")
