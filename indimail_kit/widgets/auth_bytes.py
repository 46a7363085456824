"""A login as rows of bytes, each with its role: what AuthExplorer draws. Pure, without Jupyter.

Source: RFC 2104 section 2, RFC 2195 section 2, RFC 4616 section 2, RFC 4648 section 4, RFC 4954 section 4, RFC 5802
section 5.1; LOOK, "Roles have colour + letter + shape".

Rule 1: rows are made from `annotate.explain` and `derivation.derive_cram`; what is which octet is decided there.
Rule 2: without `shows_secrets` no row holds an octet that the password had a part in, nor their number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from indimail_kit.auth.annotate import Explanation, Step, explain
from indimail_kit.auth.annotate_model import MASK, Part
from indimail_kit.auth.derivation import DerivationStep, derive_cram
from indimail_kit.auth.mechanisms import MECHANISMS
from indimail_kit.auth.smtp_auth import Challenge, ClientExchange, ServerExchange
from indimail_kit.auth.stored import Account
from indimail_kit.auth.transcript import Direction, WireChunk
from indimail_kit.errors import SaslError
from indimail_kit.visible import visible

MAX_FIELD_CHARACTERS: Final = 512
"""Longest user, password or challenge that is explored (unit: characters)."""

MAX_ANSWERS: Final = 6
"""Most turns of one exchange."""


@dataclass(frozen=True, slots=True)
class Role:
    """How a role is written and drawn.

    Attributes:
        letter: Its tag.
        cls: Class of style.css: colour and outline.
        meaning: For the legend.
    """

    letter: str
    cls: str
    meaning: str


ROLES: Final = {
    "M": Role("M", "ik-role-m", "command and mechanism"),
    "U": Role("U", "ik-role-u", "user"),
    "P": Role("P", "ik-role-p", "password, and what is made of it alone"),
    "Z": Role("Z", "ik-role-z", "NUL, the zero octet"),
    "C": Role("C", "ik-role-c", "challenge and nonces"),
    "D": Role("D", "ik-role-d", "digest or proof"),
    "B": Role("B", "ik-role-b", "Base64 padding"),
    "·": Role("·", "ik-role-o", "what stands between"),
}
"""Letter -> how it is drawn, in the order of the legend."""

_LETTERS: Final = {
    "mechanism": "M", "command": "M", "user": "U", "authzid": "U", "password": "P", "user or password": "P",
    "token": "P", "NUL": "Z", "nonce": "C", "cnonce": "C", "salt": "C", "iteration count": "C", "prompt": "C",
    "challenge": "C", "realm": "C", "digest": "D", "client proof": "D", "server signature": "D",
    "challenge pid": "C", "challenge time": "C", "challenge host": "C", "padding": "B",
}  # fmt: skip

_SENTENCES: Final = {
    "challenge pid": "a string of random digits; many servers take their process number",
    "challenge time": "a timestamp",
    "challenge host": "the fully-qualified primary host name of the server",
    "digest": "a 16-octet value which is sent in hexadecimal format, using lower-case ASCII characters",
    "NUL": "the separator: [authzid] NUL authcid NUL passwd; no field may hold it",
    "authzid": "whom to act as; empty for oneself",
    "user": "the identity whose password is used",
    "password": "the password itself; Base64 hides nothing",
    "nonce": "random text of both sides, so that no exchange can be replayed",
    "client proof": "proves that the client knows the password, without telling it",
    "server signature": "proves that the server knows the stored key",
    "salt": "makes equal passwords differ in the server's table",
    "iteration count": "how often the hash is repeated, so that guessing is slow",
    "padding": "fills the last group of four characters when octets are missing; it carries nothing",
    "prompt": "what the server asks for; clients ignore its words",
    "separator": "stands between two fields",
    "command": "the command AUTH",
    "mechanism": "the mechanism's name as registered",
    "reply code": "the server waits for an answer",
}
"""Role -> what its source says of it, in few words."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Octets, or Base64 characters, with one role.

    Attributes:
        role: As `annotate.Part.role`.
        source: The document behind it.
        cells: (character, hexadecimal digits) of each; one cell with MASK for what is hidden.
    """

    role: str
    source: str
    cells: tuple[tuple[str, str], ...] = field(repr=False)

    @property
    def letter(self) -> str:
        """Return the tag of the role."""
        return _LETTERS.get(self.role, "·")

    @property
    def sentence(self) -> str:
        """Return role, source and its sentence."""
        said = _SENTENCES.get(self.role)
        return f"{self.role}, {self.source}" + (f": {said}" if said else "")


@dataclass(frozen=True, slots=True)
class ByteRow:
    """One line of the view.

    Attributes:
        name: What it is.
        note: How it is made, or what is to say about it.
        pieces: Its octets.
        is_wire: Whether these are the characters on the wire, without hexadecimal digits.
        answer: Number of the client's answer that can be edited, -1 for none.
    """

    name: str
    note: str
    pieces: tuple[Piece, ...]
    is_wire: bool = False
    answer: int = -1

    def as_document(self) -> dict[str, Any]:
        """Return what the browser draws, as texts only."""
        pieces = [
            {"letter": one.letter, "cls": ROLES[one.letter].cls, "says": one.sentence, "cells": [*map(list, one.cells)]}
            for one in self.pieces
        ]
        return {"name": self.name, "note": self.note, "pieces": pieces, "wire": self.is_wire, "answer": self.answer}


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What an exchange is made from.

    Attributes:
        mechanism: A name of MECHANISMS.
        authcid: The user.
        passwd: The password, which the server knows, too.
        challenge: The server's challenge, or its part of the nonce; b"" where there is none.
        nonce: The client's nonce.
        edits: Number of a client's answer -> the Base64 that is sent instead.
    """

    mechanism: str
    authcid: str
    passwd: str = field(repr=False)
    challenge: bytes = b""
    nonce: str = ""
    edits: Mapping[int, str] = field(default_factory=dict, repr=False)


def play(login: Login) -> tuple[tuple[WireChunk, ...], tuple[str, ...]]:
    """Play both sides; return the dialogue and the client's answers in Base64, as sent.

    Raises:
        SaslError: A field is empty or holds what the mechanism cannot carry.
        MissingPartError: This Python lacks the hash or a library.
    """
    account = Account(address=login.authcid, pw_passwd=f"{{CRAM}}{login.passwd},")
    client = ClientExchange(login.mechanism, authcid=login.authcid, passwd=login.passwd, nonce=login.nonce)
    server = ServerExchange(
        login.mechanism,
        lookup=lambda authcid: account if authcid == login.authcid else None,
        challenge=login.challenge or None,
    )
    lines: list[tuple[Direction, str]] = [("client", "EHLO you"), ("server", f"250 AUTH {login.mechanism}")]
    answers: list[str] = []

    def answer(own: str) -> bytes:
        text = login.edits.get(len(answers), own)
        answers.append(text)
        return text.encode("utf-8", "surrogatepass")

    initial = client.start()
    sent = answer(initial) if initial is not None else None
    lines.append(("client", f"AUTH {login.mechanism}" + (f" {answers[0]}" if sent is not None else "")))
    reply = server.start(sent)
    while isinstance(reply, Challenge) and len(answers) < MAX_ANSWERS:
        lines.append(("server", reply.line))
        line = answer(client.feed(reply.line[4:]))
        lines.append(("client", answers[-1]))
        reply = server.feed(line)
    lines += [("server", line) for line in reply.lines]
    chunks = [
        WireChunk(number, side, text.encode("utf-8", "surrogatepass") + b"\r\n")
        for number, (side, text) in enumerate(lines)
    ]
    return tuple(chunks), tuple(answers)


def explain_login(login: Login, *, shows_secrets: bool) -> tuple[Explanation, tuple[str, ...]]:
    """Return the explanation of the exchange, and the client's answers; see `play` for what it raises."""
    longest = max(map(len, (login.authcid, login.passwd, login.challenge)))
    if longest > MAX_FIELD_CHARACTERS:
        raise SaslError(f"fields of at most {MAX_FIELD_CHARACTERS} characters")
    chunks, answers = play(login)
    explanation = explain(
        chunks,
        passwd_of=lambda user: login.passwd if user == login.authcid else None,
        show_secrets=shows_secrets,
    )
    return explanation, answers


def rows_of(login: Login, explanation: Explanation) -> tuple[ByteRow, ...]:
    """Return the rows: each line of the exchange before and after Base64, for CRAM the derivation between them."""
    rows: list[ByteRow] = []
    number = 0
    for step in explanation.steps[2:]:
        is_answer = step.direction == "client" and (bool(rows) or len(step.raw.split(" ")) > 2)
        rows += _rows_of_step(step, number if is_answer else -1)
        number += is_answer
        if step.direction == "server" and step.raw.startswith("334 ") and login.mechanism.startswith("CRAM-"):
            rows += _derivation_rows(login, shows_secrets=explanation.shows_secrets)
    return tuple(rows)


def _rows_of_step(step: Step, answer: int) -> Iterator[ByteRow]:
    who = "client" if step.direction == "client" else "server"
    wire = tuple(_wire_pieces(step))
    if step.decoded and step.decoded != step.raw:
        octets = step.decoded.encode("utf-8", "surrogatepass")
        decoded = tuple(_piece(part, octets[part.start : part.end]) for part in step.parts)
        wire_row = ByteRow(f"{who}, on the wire", "the same in Base64", wire, is_wire=True, answer=answer)
        says = ByteRow(f"{who} says", step.verdict, decoded)
        yield from (says, wire_row) if who == "client" else (wire_row, says)
    else:
        yield ByteRow(f"{who}, on the wire", step.verdict, wire, is_wire=True, answer=answer)


def _piece(part: Part, octets: bytes) -> Piece:
    if part.text == MASK:
        return Piece(part.role, part.source, ((MASK, ""),))
    return Piece(part.role, part.source, tuple(_cell(octet) for octet in octets))


def _cell(octet: int) -> tuple[str, str]:
    return chr(octet) if 0x21 <= octet <= 0x7E else "␣" if octet == 0x20 else "·", f"{octet:02x}"


def _wire_pieces(step: Step) -> Iterator[Piece]:
    """Yield the characters of a line with the role of the first octet that they carry."""
    at = 0
    for part in step.parts:
        start, end = max(part.wire_start, at), part.wire_end
        if end <= start:
            continue
        if part.text == MASK:
            yield Piece(part.role, part.source, ((MASK, ""),))
        else:
            text = step.raw[start:end]
            yield Piece(part.role, part.source, tuple((visible(one).replace(" ", "␣"), "") for one in text))
        at = end
    if rest := step.raw[at:]:
        is_padding = bool(step.parts) and not rest.strip("=")
        role, source = ("padding", "RFC 4648 section 4") if is_padding else ("text", "RFC 4954 section 6")
        yield Piece(role, source, tuple((visible(one).replace(" ", "␣"), "") for one in rest))


_DERIVED: Final = {"inner digest": "digest", "outer digest": "digest", "digest": "digest", "challenge": "challenge"}


def _derivation_rows(login: Login, *, shows_secrets: bool) -> Iterator[ByteRow]:
    hash_name = MECHANISMS[login.mechanism].hash_name
    for step in derive_cram(login.challenge, login.passwd, hash_name).steps()[1:]:
        yield ByteRow(step.name, f"{step.formula} · {step.source}", tuple(_derived(step, shows_secrets)))


def _derived(step: DerivationStep, shows_secrets: bool) -> Iterator[Piece]:
    role = _DERIVED.get(step.name, "password")
    if not shows_secrets:
        yield Piece(role, step.source, ((MASK, ""),))
        return
    octets = step.octets.rstrip(b"\0") if step.name == "key block" else step.octets
    yield Piece(role, step.source, tuple(_cell(octet) for octet in octets))
    if fill := step.octets[len(octets) :]:
        yield Piece("NUL", "RFC 2104 section 2", tuple(_cell(octet) for octet in fill))
