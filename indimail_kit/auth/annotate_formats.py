r"""Readers of what people paste: one row a format, the line that gives it away, and who speaks in it.

::

    swaks       <~  250 ok        ~> AUTH LOGIN       <** 535 no        === Connected        *** closed
    curl -v     < 250 ok          > AUTH LOGIN        * Connected       } [19 bytes data]
    msmtp -d    <-- 250 ok        --> AUTH LOGIN
    recordio    7297 > 250 ok     7297 < AUTH LOGIN   with or without TAI64N labels, sessions mixed, lines cut
    smtplib     reply: b'250 ok\r\n'                  send: 'AUTH LOGIN\r\n'
    aiosmtpd    … << b'250 ok'    … >> b'AUTH LOGIN'
    C:/S:       S: 250 ok         C: AUTH LOGIN
    telnet      no marks: a reply is three digits; what is left was typed

Source: swaks(1) "TRANSACTION HINTS"; curl tool_cb_dbg.c; msmtp(1) --debug; recordio(1); Python smtplib
`set_debuglevel`; aiosmtpd smtp.py `push()`.

Rule 1: no line disappears: it is a line of the dialogue, a piece of one, or a note.
Rule 2: a note is shown only if a table knows it to be harmless.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from indimail_kit.auth.annotate_base64 import examine
from indimail_kit.auth.annotate_model import Direction, Line

_MIN_TOKEN_CHARACTERS: Final = 4
_REPLY: Final = re.compile(r"[2-5][0-9]{2}(?:[ -].*)?", re.DOTALL)
_HOST: Final = r"[A-Za-z0-9._:\[\]%-]+"

# What tools say and no secret stands in: pattern -> whether the session ends here.
_KNOWN_NOTES: Final = (
    (re.compile(rf"Trying {_HOST}\.{{0,3}}"), "telnet: it looks for the host.", False),
    (re.compile(rf"Connected to {_HOST}\.?"), "telnet: the connection stands.", False),
    (re.compile(r"Escape character is '\^?.'\.|Escape character is '\^\]'\."), "telnet: how to leave it.", False),
    (re.compile(r"Connection closed by foreign host\.|Connection closed\."), "The server closed the connection.", True),
    (re.compile(rf"telnet: Unable to connect.*|telnet: connect to address {_HOST}: [A-Za-z ]+"),
     "No connection.", True),
    (re.compile(rf"[%$#] *tele?n[et]{{1,2}} {_HOST}(?: [a-z0-9]+)?"), "The command that begins the session.", False),
    (re.compile(rf"=== Trying {_HOST}\.\.\."), "swaks: it looks for the host.", False),
    (re.compile(rf"=== Connected to {_HOST}\."), "swaks: the connection stands.", False),
    (re.compile(r"=== Connection closed with remote host\."), "swaks: the session is over.", True),
    (re.compile(r"=== response in [0-9.]+s"), "swaks: how long the server took.", False),
    (re.compile(r"=== TLS started with cipher [A-Za-z0-9.:_-]+"), "swaks: TLS from here on.", False),
    (re.compile(r"=== TLS (?:no client certificate set|peer .*|client .*)"), "swaks: about TLS.", False),
    (re.compile(r"\*\*\* Remote host closed connection unexpectedly\."), "The server closed without a reply.", True),
    (re.compile(r"\*\*\* No authentication type succeeded"), "swaks: no mechanism worked.", False),
    (re.compile(r"\*\*\* Host did not advertise.*"), "swaks: the server does not offer AUTH.", False),
    (re.compile(rf"\* +(?:Trying|Connected to|connect to|Connection #|Closing|Host|IPv[46]:|old SSL) ?{_HOST}.*"),
     "curl: about the connection.", False),
    (re.compile(r"\* (?:We are completely uploaded and fine|upload completely sent off.*|response reading failed.*)"),
     "curl: about the transfer.", False),
    (re.compile(r"\* (?:TLSv|SSL |ALPN|CAfile|CApath|successfully set|  ?(?:subject|issuer|start|expire)).*"),
     "curl: about TLS.", False),
    (re.compile(r"[{}] \[[0-9]+ bytes data\]"), "curl: octets of the mail.", False),
    (re.compile(r"  % Total    % Received % Xferd .*|\s+Dload  Upload .*|[\r\s0-9.:kMG-]*"), "curl: progress.", False),
    (re.compile(r"curl: \([0-9]+\) (?:Weird server reply|Login denied|response reading failed.*|"
                r"Failed sending data.*|Access denied.*)"), "curl: how it ended.", False),
    (re.compile(r"msmtp: (?:authentication failed \(method [A-Z0-9-]+\)|could not send mail)"),
     "msmtp: how it ended.", False),
    (re.compile(rf"(?:[0-9:.]+ )?connect: (?:to )?\('{_HOST}', [0-9]+\)(?: None)?"), "smtplib: it connects.", False),
    (re.compile(r"(?:tcpserver|tcpserver\.25): .*"), "tcpserver's own line.", False),
    (re.compile(r"[A-Z]+:asyncio:Using selector: [A-Za-z]+"), "aiosmtpd: it starts.", False),
    (re.compile(rf"[A-Z]+:mail\.log:(?:Peer: |)\('{_HOST}', [0-9]+\)(?: handling connection)?"),
     "aiosmtpd: a client comes.", False),
    (re.compile(rf"[A-Z]+:mail\.log:(?:\('{_HOST}', [0-9]+\) )?(?:connection lost|Connection lost during .*)"),
     "aiosmtpd: the connection is closed.", True),
    (re.compile(r"[A-Z]+:mail\.log:(?:Available AUTH mechanisms: .*|Using builtin auth_ hook for .*|"
                r"Session\.login_data is deprecated.*|auth_[A-Z0-9_]+ returned AuthResult\(.*auth_data=\.\.\.\))"),
     "aiosmtpd: about AUTH.", False),
)  # fmt: skip


def known_note(number: int, text: str, session: str = "") -> Line:
    """Return a note, with its meaning where a table knows it."""
    stripped = text.strip("\r")
    for pattern, meaning, is_end in _KNOWN_NOTES:
        if pattern.fullmatch(stripped):
            return Line(number, "note", text, session, meaning, is_end=is_end)
    return Line(number, "note", text, session)


def is_reply(text: str) -> bool:
    """Say whether a line begins as a reply does."""
    return _REPLY.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Format:
    """A row of the table.

    Attributes:
        name: For people.
        sign: A line that only this format has.
        read: Numbered lines -> lines of the dialogue.
        weight: What a line with the sign counts; a bare reply is a weak sign.
    """

    name: str
    sign: re.Pattern[str]
    read: Callable[[Iterable[tuple[int, str]]], Iterator[Line]]
    weight: float = 1.0


_SWAKS: Final = re.compile(
    r"(?P<server><(?:[-~](?: |$)|\*\*|~\*)) ?(?P<reply>.*)|(?: ?[-~]>|\*\*>|\*~>) ?(?P<typed>.*)", re.DOTALL
)
_SWAKS_SIGN: Final = re.compile(r"<(?:- |~ |\*\*|~\*) ?[2-5][0-9]{2}.*|(?: ?[-~]>|\*[*~]>) [A-Z]{4}.*", re.DOTALL)
_SWAKS_DUMP: Final = re.compile(r"(?:<   |  > )[0-9]{4}: .*", re.DOTALL)


def _read_swaks(lines: Iterable[tuple[int, str]]) -> Iterator[Line]:
    for number, text in lines:
        match = _SWAKS.fullmatch(text)
        if _SWAKS_DUMP.fullmatch(text):
            meaning = "swaks: the octets of the next line once more, in hexadecimal."
            yield Line(number, "note", text, meaning=meaning, is_secret=True)
        elif match is None:
            yield known_note(number, text)
        else:
            wire = match["reply"] if match["server"] else match["typed"]
            yield Line(number, "server" if match["server"] else "client", wire.rstrip("\r"), is_tls="~" in text[:3])


_CURL: Final = re.compile(r"(?P<mark>[<>]) (?P<wire>.*)|(?P<bare>[<>])", re.DOTALL)
_CURL_SIGN: Final = re.compile(r"< [2-5][0-9]{2}[ -].*|> (?:EHLO|HELO|AUTH|MAIL|RCPT|DATA|QUIT)\b.*", re.DOTALL)


def _read_curl(lines: Iterable[tuple[int, str]]) -> Iterator[Line]:
    for number, text in lines:
        match = _CURL.fullmatch(text)
        if match is None:
            # A progress meter has no line end: "\r  0   0 … 0*   Trying".
            tail = text.rsplit("\r", 1)[-1]
            star = re.sub(r"^[\s0-9.:kMG-]*(?=\*)", "", tail)
            yield known_note(number, star if known_note(number, star).meaning else text)
        else:
            direction: Direction = "server" if (match["mark"] or match["bare"]) == "<" else "client"
            yield Line(number, direction, (match["wire"] or "").rstrip("\r"))


_MSMTP: Final = re.compile(r"(?P<mark><--|-->)(?: (?P<wire>.*))?", re.DOTALL)


def _read_msmtp(lines: Iterable[tuple[int, str]]) -> Iterator[Line]:
    for number, text in lines:
        match = _MSMTP.fullmatch(text)
        if match is None:
            yield known_note(number, text)
        else:
            direction: Direction = "server" if match["mark"] == "<--" else "client"
            yield Line(number, direction, (match["wire"] or "").rstrip("\r"))


_RECORDIO: Final = re.compile(
    r"(?:(?:@[0-9a-f]{24}|[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.,]+|[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8})[ \t]+)?"
    r"(?:\S+ )?(?:recordio(?:\[[0-9]+\])?: (?:pid )?)?"
    r"(?P<pid>[0-9]{1,10}):?(?: [^ <>]+)? (?P<mark>[<>])(?: (?P<wire>.*))?",
    re.DOTALL,
)
_RECORDIO_SIGN: Final = re.compile(
    r"(?:@[0-9a-f]{24} +|[0-9-]{10}[ T][0-9:.,]+ +)?(?:recordio: pid )?[0-9]{1,10}:?(?: [^ <>]+)? [<>](?: .*)?",
    re.DOTALL,
)


def _read_recordio(lines: Iterable[tuple[int, str]]) -> Iterator[Line]:
    """Read recordio's log; a line that was cut ends in "+" and goes on in the next of the same pid and direction."""
    pending: dict[tuple[str, str], tuple[int, list[str]]] = {}
    for number, text in lines:
        match = _RECORDIO.fullmatch(text)
        if match is None:
            yield known_note(number, re.sub(r"^@[0-9a-f]{24} ", "", text))
            continue
        pid, mark, wire = match["pid"], match["mark"], match["wire"] or ""
        if wire.rstrip() == "[EOF]":
            yield Line(number, "note", "[EOF]", pid, "recordio: this side said no more.", is_end=mark == ">")
            continue
        first, pieces = pending.pop((pid, mark), (number, []))
        if wire.endswith("+") and not _is_whole(wire, pieces):
            pending[pid, mark] = (first, [*pieces, wire[:-1]])
            continue
        whole = "".join([*pieces, wire.removesuffix(" ")]).rstrip("\r")
        yield Line(first, "server" if mark == ">" else "client", whole, pid)
    for (pid, mark), (first, pieces) in pending.items():
        yield Line(first, "server" if mark == ">" else "client", "".join(pieces).rstrip("\r"), pid)


def _is_whole(wire: str, pieces: list[str]) -> bool:
    """Say whether a "+" at the end belongs to the Base64: a paste that lost its blanks at line ends cannot tell."""
    return not pieces and wire.endswith("\r+")


_SMTPLIB: Final = re.compile(
    r"(?:[0-9:.]+ )?(?P<who>send|reply|data): (?P<octets>b?'.*'|b?\".*\"|\(.*|retcode .*)", re.DOTALL
)
_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|([nrtabfv0\\'\"]))")
_NAMED: Final = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}


def _unquote(literal: str) -> str:
    """Return the text of a Python literal, octets above 127 as surrogate escapes."""
    is_bytes = literal.startswith("b")
    body = literal.removeprefix("b")[1:-1]

    def replace(match: re.Match[str]) -> str:
        octet, short, long, name = match.groups()
        if name is not None:
            return _NAMED.get(name, name)
        code = int(octet or short or long, 16)
        if is_bytes and code >= 0x80:
            return chr(0xDC00 + code) if code < 0x100 else match.group()
        return chr(code) if code < 0x110000 else match.group()

    text = _ESCAPE.sub(replace, body)
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape") if _can_join(text) else text


def _can_join(text: str) -> bool:
    """Say whether the surrogates of a text are octets, so that UTF-8 made of them can be joined."""
    return not text.isascii() and all(
        not 0xD800 <= ord(one) < 0xDC80 and not 0xDD00 <= ord(one) < 0xE000 for one in text
    )


def _read_smtplib(lines: Iterable[tuple[int, str]]) -> Iterator[Line]:
    for number, text in lines:
        match = _SMTPLIB.fullmatch(text.strip())
        if match is None:
            yield known_note(number, text)
        elif match["octets"].startswith(("retcode", "(")) or match["who"] == "data":
            yield Line(number, "note", text, meaning="smtplib: the reply once more, or the mail.", is_secret=True)
        else:
            direction: Direction = "server" if match["who"] == "reply" else "client"
            for piece in _unquote(match["octets"]).removesuffix("\n").split("\n"):
                yield Line(number, direction, piece.removesuffix("\r"))


_AIOSMTPD: Final = re.compile(
    r".*?(?P<peer>\('[^']*', [0-9]+(?:, [0-9]+, [0-9]+)?\)) (?P<mark>>>|<<) (?P<challenge>challenge: )?"
    r"(?P<octets>b'.*'|b\".*\")",
    re.DOTALL,
)
_AIOSMTPD_TWICE: Final = re.compile(r".*_handle_client readline: b['\"].*", re.DOTALL)


def _read_aiosmtpd(lines: Iterable[tuple[int, str]]) -> Iterator[Line]:
    for number, text in lines:
        match = _AIOSMTPD.fullmatch(text)
        if _AIOSMTPD_TWICE.fullmatch(text) or (match is not None and match["challenge"]):
            yield Line(number, "note", text, meaning="aiosmtpd: a line that is logged twice.", is_secret=True)
        elif match is None:
            note = known_note(number, text)
            peer = re.search(r"\('[^']*', [0-9]+\)", text)
            yield Line(number, "note", text, peer[0] if peer else "", note.meaning, is_end=note.is_end)
        else:
            direction: Direction = "server" if match["mark"] == "<<" else "client"
            for piece in _unquote(match["octets"]).split("\n"):
                yield Line(number, direction, piece.removesuffix("\r"), match["peer"])


_MARKED: Final = re.compile(r"[ \t]*(?P<who>(?i:[cs]|client|server))[:>](?: (?P<wire>.*))?", re.DOTALL)


def _read_marked(lines: Iterable[tuple[int, str]]) -> Iterator[Line]:
    for number, text in lines:
        match = _MARKED.fullmatch(text)
        if match is None:
            yield known_note(number, text)
            continue
        is_server = match["who"].lower().startswith("s")
        wire = (match["wire"] or "").rstrip("\r")
        if is_server and wire in ("<EOF>", "[EOF]"):
            yield Line(number, "note", text, meaning="The server closed the connection.", is_end=True)
        else:
            yield Line(number, "server" if is_server else "client", wire)


_PROMPT: Final = re.compile(r"\s*(?:[%$#>] .*|[\w.-]+@[\w.-]+[ :~][^$#%]{0,99}[$#%] .*)", re.DOTALL)
_COMMAND: Final = re.compile(
    r"\s*(?:AUTH [A-Z0-9-]+(?: \S+)?|(?:EHLO|HELO|STARTTLS|QUIT|RSET|NOOP|DATA|AUTH)(?: \S+)?"
    r"|(?:MAIL FROM|RCPT TO):.*)\s*",
    re.IGNORECASE | re.DOTALL,
)


def _read_telnet(lines: Iterable[tuple[int, str]]) -> Iterator[Line]:
    """Read a terminal's text: replies are known by their digits, a tool's own lines by a table, the rest was typed.

    Prose around a dialogue belongs to it only where it touches a reply or begins with a command.
    """
    run: list[tuple[int, str]] = []
    blank: tuple[int, str] | None = None  # an empty answer, if a reply follows at once
    is_after_reply = is_in_message = False
    for number, text in lines:
        wire = text.rstrip("\r")
        is_blank = not wire.strip()
        if is_reply(wire):
            yield from _typed([blank] if blank else run, is_touched=True)
            yield Line(number, "server", wire)
            is_after_reply, is_in_message, run, blank = True, wire.startswith("354"), [], None
            continue
        if is_in_message:
            yield Line(number, "client", wire)
            is_in_message = wire != "."
            continue
        if blank is not None:
            yield Line(blank[0], "note", blank[1])
            blank, is_after_reply = None, False
        note = known_note(number, wire)
        is_prompt = _PROMPT.fullmatch(wire) is not None
        if is_blank and is_after_reply and not run:
            blank = (number, wire)
        elif is_blank or note.meaning or is_prompt:
            yield from _typed(run, is_touched=is_after_reply)
            yield Line(number, "note", wire, "", note.meaning, is_end=note.is_end or is_prompt)
            is_after_reply, run = False, []
        else:
            run.append((number, wire))
    yield from _typed(run, is_touched=is_after_reply)
    if blank is not None:
        yield Line(blank[0], "note", blank[1])


def _typed(run: list[tuple[int, str]], *, is_touched: bool) -> Iterator[Line]:
    """Yield lines that follow each other: of the dialogue, or prose."""
    is_dialogue = is_touched or any(_COMMAND.fullmatch(wire) for _, wire in run)
    for number, wire in run:
        yield Line(number, "client" if is_dialogue or is_text_token(wire) else "note", wire)


def is_text_token(text: str) -> bool:
    """Say whether a line is Base64 of a text, and nothing else."""
    token = text.strip()
    octets = examine(token).octets if len(token) >= _MIN_TOKEN_CHARACTERS and " " not in token else None
    if octets is None:
        return False
    decoded = octets.decode("utf-8", "replace")
    return all(one.isprintable() or one in "\0\x01\r\n" for one in decoded) and "\ufffd" not in decoded


FORMATS: Final = (
    Format("recordio", _RECORDIO_SIGN, _read_recordio),
    Format("swaks", _SWAKS_SIGN, _read_swaks),
    Format("msmtp", _MSMTP, _read_msmtp),
    Format("curl -v", _CURL_SIGN, _read_curl),
    Format("aiosmtpd", _AIOSMTPD, _read_aiosmtpd),
    Format("smtplib", _SMTPLIB, _read_smtplib),
    Format("C:/S:", _MARKED, _read_marked),
    Format("telnet", _REPLY, _read_telnet, weight=0.5),
)
"""The formats, the more particular first."""

_VERB: Final = re.compile(r"(?:EHLO|HELO|AUTH|MAIL|RCPT|DATA|RSET|QUIT|STARTTLS|NOOP)\b.*", re.IGNORECASE | re.DOTALL)


def find_format(lines: list[str]) -> Format | None:
    """Say what a text was copied from; None for one that shows no dialogue."""
    best, best_count = None, 0.0
    for row in FORMATS:
        count = row.weight * sum(1 for line in lines if row.sign.fullmatch(line.rstrip("\r")))
        if count > best_count:
            best, best_count = row, count
    if best is None and any(_VERB.fullmatch(line.strip()) for line in lines):
        return FORMATS[-1]
    return best
