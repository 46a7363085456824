"""A pasted or recorded SMTP session, explained: each octet's role, its source, and a verdict in words.

Source: RFC 4954 (AUTH), RFC 4648 (Base64), the mechanisms' documents; IndiMail's qmail-smtpd where it differs.

The way of a text: `annotate_formats` (whose paste is it, who speaks) → `annotate_walk` (which reply answers which
command) → `annotate_answer`, `annotate_parts` (which octet is what) → `annotate_mistakes`, `annotate_replies`,
`annotate_proof`, `annotate_verdicts` (what is to say) → `annotate_mask` (what may be shown) → `annotate_text`.

Rule 1: no text makes it fail, and no line disappears: what is not understood is a step of direction "note".
Rule 2: no secret leaves without `show_secrets`: not in raw, decoded, parts, verdicts, summary or repr.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from indimail_kit.auth import annotate_parts as parts
from indimail_kit.auth.annotate_answer import decode_message
from indimail_kit.auth.annotate_base64 import examine
from indimail_kit.auth.annotate_formats import find_format, is_text_token
from indimail_kit.auth.annotate_mask import SecretStore, build_step, note_draft
from indimail_kit.auth.annotate_model import Draft, Exchange, Explanation, Line, Message, Part, Step
from indimail_kit.auth.annotate_replies import judge_reply
from indimail_kit.auth.annotate_verdicts import judge_challenge, judge_exchange
from indimail_kit.auth.annotate_walk import Session, Shared
from indimail_kit.auth.framing import strip_line_end
from indimail_kit.auth.transcript import WireChunk

__all__ = ["Explanation", "Part", "PasswdOf", "Step", "explain"]

PasswdOf = Callable[[str], str | None]
"""User -> the right password, None when it is not known."""

_NO_DIALOGUE: Final = "no dialogue"
_TOKENS: Final = "Base64 only"
_LONG_TOKEN_CHARACTERS: Final = 16


def explain(
    text: str | bytes | Sequence[WireChunk], *, passwd_of: PasswdOf | None = None, show_secrets: bool = False
) -> Explanation:
    r"""Explain a session that was pasted or recorded, whatever program wrote it.

    Args:
        text: A telnet paste, a swaks session, ``curl -v``, recordio's log, smtplib's or aiosmtpd's debug lines, a
            ``C:``/``S:`` dialogue, Base64 alone; or the chunks of a recording.
        passwd_of: The right password of a user, where it is known; the verdicts then say whether it was used rightly.
        show_secrets: Show passwords, digests and tokens, instead of masking them.

    Returns:
        A step for each line. An empty text has no steps.

    Example:
        >>> explanation = explain("AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm")
        >>> explanation.steps[0].decoded
        'AUTH PLAIN \x00tim\x00****'
    """
    lines, name = _read(text)
    shared = Shared()
    sessions: dict[str, Session] = {}
    if name == _TOKENS:
        _take_tokens(lines, shared)
    else:
        for line in lines:
            session = sessions.get(line.session)
            if session is None:
                session = sessions[line.session] = Session(shared)
            session.feed(line)
    for session in sessions.values():
        session.close()
    summary = _judge(shared, sessions.values(), passwd_of)
    return Explanation(_build(shared, show_secrets=show_secrets), name, summary, shows_secrets=show_secrets)


def _read(text: str | bytes | Sequence[WireChunk]) -> tuple[list[Line], str]:
    """Return the lines of the dialogue and the name of the format."""
    if isinstance(text, (bytes, bytearray)):
        text = bytes(text).decode("utf-8", "surrogateescape")
    if not isinstance(text, str):
        return _read_chunks(text), "recording"
    rows = text.removesuffix("\n").split("\n") if text else []
    numbered = [(number, row) for number, row in enumerate(rows, 1)]
    found = find_format(rows)
    if found is not None:
        return list(found.read(numbered)), found.name
    if any(_is_token(row) for row in rows):
        return [
            Line(number, "client" if _is_token(row) else "note", row.rstrip("\r")) for number, row in numbered
        ], _TOKENS
    return [Line(number, "note", row) for number, row in numbered], _NO_DIALOGUE


def _is_token(row: str) -> bool:
    """Say whether a line is Base64 and nothing else; what decodes to no text must be long to be more than a word."""
    token = row.strip()
    is_long = len(token) >= _LONG_TOKEN_CHARACTERS and examine(token).faults == ()
    return is_long or is_text_token(row)


def _read_chunks(chunks: Iterable[WireChunk]) -> list[Line]:
    """Return the lines of a recording, in the order in which they were begun."""
    rests: dict[str, bytes] = {"client": b"", "server": b""}
    places: dict[str, int] = {}
    finished: list[tuple[int, str, bytes]] = []
    for index, chunk in enumerate(chunks):
        direction = chunk.direction
        *whole, rest = (rests[direction] + chunk.octets).split(b"\n")
        finished += [(places.pop(direction, index), direction, line + b"\n") for line in whole]
        rests[direction] = rest
        if rest:
            places.setdefault(direction, index)
        else:
            places.pop(direction, None)
    finished += [(places[side], side, rest) for side, rest in rests.items() if rest]
    finished.sort(key=lambda one: one[0])
    return [
        Line(
            number,
            "client" if direction == "client" else "server",
            strip_line_end(octets).decode("utf-8", "surrogateescape"),
        )
        for number, (_place, direction, octets) in enumerate(finished, 1)
    ]


def _take_tokens(lines: Iterable[Line], shared: Shared) -> None:
    """Take Base64 without a dialogue: what each is shows by its look, or stays open."""
    exchange = Exchange(mechanism="")
    shared.exchanges.append(exchange)
    for line in lines:
        if line.direction == "note":
            shared.drafts.append(note_draft(line))
            continue
        token = line.wire.strip()
        start = line.wire.find(token)
        kind = parts.guess_kind(examine(token).octets or b"")
        is_server = kind in parts.SERVER_KINDS
        draft = Draft(Line(line.number, "server" if is_server else "client", line.wire), start, start + len(token))
        shared.drafts.append(draft)
        message = decode_message(draft, kind or "response", is_initial=False)
        if not is_server:
            exchange.messages.append(message)
            _say_what(message, kind)
        else:
            exchange.challenges.append((message.octets, token, kind))
            judge_challenge(draft, message.octets, kind)
        exchange.mechanism = exchange.mechanism or _mechanism_of(kind)


def _mechanism_of(kind: str) -> str:
    names = {"plain": "PLAIN", "prompt": "LOGIN", "cram": "CRAM-MD5", "digest": "DIGEST-MD5", "xoauth2": "XOAUTH2"}
    return names.get(kind, names.get(kind.partition(" ")[0], ""))


def _say_what(message: Message, kind: str) -> None:
    """Say what a lone text is, as far as it shows."""
    draft = message.draft
    if kind:
        return
    if parts.looks_like_address(message.octets.strip()):
        draft.fields = parts.login_user_fields(message.octets)
        message.kind, message.user = "login user", message.octets.decode("utf-8", "backslashreplace")
        draft.say("An address: LOGIN's first answer, the user.")
        return
    draft.say(
        "One text without a sign of what it is: LOGIN's user or password, or something else. Hidden, since it may be a"
        " secret."
    )
    message.kind = "login passwd"
    draft.fields = parts.login_passwd_fields(message.octets)


def _judge(shared: Shared, sessions: Iterable[Session], passwd_of: PasswdOf | None) -> tuple[str, ...]:
    """Say what is to say, at the steps; returns a sentence for each exchange."""
    for session in sessions:
        for reply in session.replies:
            if reply.code == 334 and reply.exchange is not None:
                judge_challenge(reply.draft, reply.draft.octets or b"", reply.verb)
            else:
                name = judge_reply(reply)
                if name and reply.exchange is not None:
                    reply.exchange.found.append(name)
    summary = []
    for exchange in shared.exchanges:
        if passwd_of is not None and exchange.user:
            exchange.passwd = passwd_of(exchange.user)
        sentence = judge_exchange(exchange)
        if exchange.command is not None or exchange.messages:
            summary.append(sentence)
    return tuple(summary)


def _build(shared: Shared, *, show_secrets: bool) -> tuple[Step, ...]:
    """Mask what is secret and return the steps in the order of the lines."""
    secrets = SecretStore()
    for exchange in shared.exchanges:
        if exchange.passwd:
            secrets.add(exchange.passwd)
    steps = []
    for draft in shared.drafts:
        if draft.line.direction == "client":
            secrets.add_draft(draft)
        steps.append(build_step(draft, secrets, shows_secrets=show_secrets))
    return tuple(sorted(steps, key=lambda step: step.line))
