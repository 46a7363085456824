"""Through a dialogue line by line: which reply answers which command, where an exchange begins and ends.

Source: RFC 4954 section 4 (who speaks when), RFC 5321 section 4.1 and RFC 2920 (replies come in the order of the
commands); facts of IndiMail's qmail-smtpd where it differs.

Rule 1: a client's line is hidden unless it is a command that SMTP knows or could be taken apart.
Rule 2: what the words mean is said in `annotate_replies` and `annotate_mistakes`; here is only who answers whom.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from indimail_kit.auth import annotate_parts as parts
from indimail_kit.auth.annotate_answer import (
    FRAMING,
    GUESSED,
    challenge_kind,
    decode_message,
    message_kind,
    take_message,
)
from indimail_kit.auth.annotate_base64 import examine
from indimail_kit.auth.annotate_mask import note_draft
from indimail_kit.auth.annotate_model import Draft, Exchange, Field, Line, Message
from indimail_kit.auth.mechanisms import find_mechanism

_VERB: Final = re.compile(
    r"\s*(HELO|EHLO|LHLO|AUTH|MAIL|RCPT|DATA|BDAT|RSET|NOOP|QUIT|VRFY|EXPN|HELP|ETRN|ATRN|TURN|STARTTLS|XCLIENT)"
    r"(?![A-Za-z0-9+/=_-])(.*)",
    re.IGNORECASE | re.DOTALL,
)
_AUTH: Final = re.compile(r"(\s*)(AUTH)([ \t]+)([^ \t]+)(?:([ \t]+)(.*?))?([ \t]*)", re.IGNORECASE | re.DOTALL)
_GLUED_AUTH: Final = re.compile(r"\s*AUTH[^ \t].*", re.IGNORECASE | re.DOTALL)
_MECHANISM: Final = re.compile(
    r"LOGIN|PLAIN|CRAM-[A-Z0-9]{1,8}|DIGEST-MD5|SCRAM-SHA-?[0-9]{1,3}(?:-PLUS)?|XOAUTH2?|OAUTHBEARER|NTLM|GSSAPI"
    r"|GS2-KRB5|KERBEROS_V4|EXTERNAL|ANONYMOUS|OTP"
)
_LONE_COMMAND: Final = re.compile(
    r"QUIT|RSET|NOOP|HELP|DATA|STARTTLS|AUTH|AUTH (?:LOGIN|PLAIN|CRAM-MD5)", re.IGNORECASE
)
_REPLY: Final = re.compile(r"([2-5][0-9]{2})([ -]?)(.*)", re.DOTALL)
_RECENT_CHALLENGES: Final = 5
_MIN_TOKEN_CHARACTERS: Final = 4
_MAX_MESSAGES: Final = 64
"""Most answers in one exchange; a dialogue with more is none, and would cost the square of its length."""


@dataclass(slots=True)
class Shared:
    """What all sessions of a text have in common.

    Attributes:
        drafts: Every line, in order of reading.
        exchanges: Every exchange.
        challenges: The last CRAM challenges, as (octets, number of the line).
        answers: CRAM response -> (challenge, number of the line) where it was given first.
    """

    drafts: list[Draft] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    challenges: deque[tuple[bytes, int]] = field(default_factory=lambda: deque(maxlen=_RECENT_CHALLENGES), repr=False)
    answers: dict[bytes, tuple[bytes, int]] = field(default_factory=dict, repr=False)


@dataclass(slots=True)
class Reply:
    """A reply with the command that it answers.

    Attributes:
        draft: The step.
        code: Its code.
        text: Text behind the code; of all lines, joined by blanks, where there are several.
        verb: What it answers: a verb in upper case, "AUTH", "answer", "message", "greeting", or "" for nothing.
        last_code: Code of the reply before it.
        exchange: The exchange that it belongs to, or None.
        command: The step that it answers, or None.
        is_helo: Whether the client said HELO instead of EHLO.
    """

    draft: Draft
    code: int
    text: str
    verb: str
    last_code: int
    exchange: Exchange | None
    command: Draft | None
    is_helo: bool = False


class Session:
    """One connection of a text; feed it line after line.

    Attributes:
        replies: Every final reply with what it answers.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.replies: list[Reply] = []
        self.has_tls = False
        self._reset()

    def _reset(self) -> None:
        """Begin a session; also after STARTTLS, when everything is forgotten."""
        self.hello = ""
        self.offered: tuple[str, ...] | None = None
        self.is_tls_offered = False
        self.authcid: str | None = None
        self.is_greeted = False
        self.in_mail = False
        self._in_message = False
        self._exchange: Exchange | None = None
        self._last_exchange: Exchange | None = None
        self._waits: deque[tuple[str, Draft]] = deque()
        self._last_code = 0
        self._reply_lines: list[str] = []

    def feed(self, line: Line) -> None:
        """Take the next line."""
        if line.is_tls:
            self.has_tls = True
        if line.direction == "note":
            self._shared.drafts.append(note_draft(line))
            if line.is_end and not self._in_message:
                self.close()
            return
        draft = Draft(line)
        self._shared.drafts.append(draft)
        if line.direction == "server":
            self._server(draft)
        else:
            self._client(draft)

    def close(self) -> None:
        """End the session; an exchange that goes on ends without a reply."""
        self._end_exchange()
        self._reset()
        self.has_tls = False

    # -- the client ----------------------------------------------------------------------------------------------

    def _client(self, draft: Draft) -> None:
        wire = draft.line.wire
        if self._in_message:
            if wire == ".":
                self._in_message = False
                self._waits.append(("message", draft))
        elif self._exchange is not None and len(self._exchange.messages) < _MAX_MESSAGES:
            self._answer(draft, self._exchange)
        elif _AUTH.fullmatch(wire):
            self._auth(draft)
        else:
            verb = _VERB.fullmatch(wire)
            if verb is not None:
                self._waits.append((verb[1].upper(), draft))
                self._last_exchange = None
            elif wire.strip():
                self._stray(draft)

    def _auth(self, draft: Draft) -> None:
        """Take an AUTH command."""
        match = _AUTH.fullmatch(draft.line.wire)
        if match is None:
            return
        name = match[4].upper()
        is_known = _MECHANISM.fullmatch(name) is not None
        row = find_mechanism(name)
        prefix = [Field(match.start(2), match.end(2), "command", FRAMING)]
        if match[1]:
            prefix.insert(0, Field(0, match.end(1), "white space", "not allowed by RFC 5321 section 4.1.1"))
        prefix += [
            Field(match.start(3), match.end(3), "separator", FRAMING),
            Field(match.start(4), match.end(4), "mechanism", row.source if row else FRAMING, is_secret=not is_known),
        ]
        draft.token_start = draft.token_end = match.end(4)
        exchange = Exchange(
            mechanism=name if is_known else "",
            command=draft,
            earlier=tuple(self._shared.challenges),
            has_tls=self.has_tls,
            is_tls_offered=self.is_tls_offered,
        )
        if match[6]:
            prefix.append(Field(match.start(5), match.end(5), "separator", FRAMING))
            draft.token_start, draft.token_end = match.start(6), match.end(6)
            self._take(draft, exchange, is_initial=True)
        draft.prefix_fields = tuple(prefix)
        self._exchange = exchange
        self._shared.exchanges.append(exchange)
        self._waits.append(("AUTH", draft))
        self._check_place(exchange)

    def _check_place(self, exchange: Exchange) -> None:
        """Note where AUTH must not stand; what is said about it is in `annotate_replies`."""
        name = exchange.mechanism
        places = {
            "mechanism forgotten": not name,
            "twice": self.authcid is not None,
            "in a mail": self.in_mail,
            "after HELO": self.hello == "HELO",
            "without EHLO": self.is_greeted and not self.hello and not self._waits_for("EHLO", "HELO"),
            "not offered": bool(name) and self.offered is not None and name not in self.offered,
            "nothing offered": self.offered == () and self.hello == "EHLO",
        }
        exchange.found += [place for place, is_so in places.items() if is_so]

    def _waits_for(self, *verbs: str) -> bool:
        return any(verb in verbs for verb, _ in self._waits)

    def _answer(self, draft: Draft, exchange: Exchange) -> None:
        """Take a client's line within an exchange."""
        wire = draft.line.wire
        draft.token_start = len(wire) - len(wire.lstrip(" \t"))
        draft.token_end = max(draft.token_start, len(wire.rstrip(" \t")))
        if draft.token_start:
            draft.prefix_fields = (Field(0, draft.token_start, "white space", f"not allowed by {FRAMING}"),)
        self._waits.append(("answer", draft))
        if _LONE_COMMAND.fullmatch(draft.token):
            draft.fields = (Field(0, len(draft.token), "command", f"not allowed here by {FRAMING}"),)
            exchange.messages.append(Message(kind="command", draft=draft))
        else:
            self._take(draft, exchange, is_initial=False)

    def _take(self, draft: Draft, exchange: Exchange, *, is_initial: bool) -> None:
        """Take an answer, or the initial response behind AUTH."""
        message = take_message(draft, message_kind(exchange, is_initial=is_initial), is_initial=is_initial)
        exchange.messages.append(message)
        if message.kind == "cram response" and message.octets:
            challenge = exchange.challenge("cram challenge") or b""
            first = self._shared.answers.setdefault(message.octets, (challenge, draft.line.number))
            if challenge and first[0] != challenge:
                exchange.repeats_line = first[1]

    def _stray(self, draft: Draft) -> None:
        """Take a client's line that is no command: hidden, and looked at."""
        if self.is_greeted:
            self._waits.append(("?", draft))
        wire = draft.line.wire
        draft.token_start = len(wire) - len(wire.lstrip())
        draft.token_end = len(wire.rstrip())
        view = examine(draft.token)
        octets = view.octets if view.octets is not None and len(draft.token) >= _MIN_TOKEN_CHARACTERS else b""
        kind = "login user" if parts.looks_like_address(octets) else parts.guess_kind(octets)
        last = self._last_exchange
        if _GLUED_AUTH.fullmatch(wire):
            kind = ""
            draft.say(GLUED_AUTH)
        elif last is not None and last.reply_code != 235 and len(last.messages) < _MAX_MESSAGES:
            last.messages.append(Message(kind="late", draft=draft, faults=view.faults))
        else:
            draft.say(STRAY_BASE64 if kind else STRAY)
        if kind:
            decode_message(draft, kind, is_initial=False)
        else:
            draft.is_hidden = True

    # -- the server ----------------------------------------------------------------------------------------------

    def _server(self, draft: Draft) -> None:
        match = _REPLY.fullmatch(draft.line.wire)
        if match is None:
            draft.is_hidden = bool(draft.line.wire.strip())
            draft.say("No reply: one begins with three digits (RFC 5321 section 4.2).")
            return
        code, separator, text = int(match[1]), match[2], match[3]
        if code == 334 and separator != "-":
            self._challenge(draft, match.start(3), text)
            return
        verb = self._waits[0][0] if self._waits else ""
        if verb in ("EHLO", "LHLO") and code == 250:
            self._offer(text)
        self._reply_lines.append(text)
        if separator == "-":
            return
        whole = " ".join(self._reply_lines)
        self._reply_lines.clear()
        self._final(draft, code, whole)

    def _offer(self, text: str) -> None:
        """Take a line of the reply to EHLO."""
        words = text.upper().replace("AUTH=", "AUTH ").split()
        if words[:1] == ["AUTH"]:
            self.offered = tuple(dict.fromkeys([*(self.offered or ()), *words[1:]]))
        elif words[:1] == ["STARTTLS"]:
            self.is_tls_offered = True

    def _challenge(self, draft: Draft, start: int, text: str) -> None:
        """Take a 334."""
        if self._waits:
            self._waits.popleft()
        exchange = self._exchange
        draft.token_start, draft.token_end = start, start + len(text.rstrip(" "))
        view = examine(draft.token)
        octets = view.octets if view.octets is not None else b""
        if exchange is None:
            guessed = GUESSED.get(parts.guess_kind(octets), "")
            exchange = Exchange(mechanism=guessed, earlier=tuple(self._shared.challenges), has_tls=self.has_tls)
            self._shared.exchanges.append(exchange)
            self._exchange = exchange
        elif exchange.challenges and len(exchange.messages) < len(exchange.challenges):
            exchange.is_record_silent = True
        kind = challenge_kind(exchange.mechanism, octets)
        draft.octets, draft.positions = view.octets, view.positions
        draft.prefix_fields = (Field(0, 3, "reply code", FRAMING),)
        if start > 3:
            draft.prefix_fields += (Field(3, start, "separator", FRAMING),)
        if view.octets is None:
            draft.fields = (Field(0, len(draft.token), "challenge", "not Base64; RFC 4954 section 4 wants it"),)
        else:
            draft.fields = tuple(parts.KINDS[kind](octets))
        del exchange.challenges[:-_MAX_MESSAGES]
        exchange.challenges.append((octets, draft.token, kind))
        if kind == "cram challenge":
            self._shared.challenges.append((octets, draft.line.number))
        self._last_code = 334
        self.replies.append(Reply(draft, 334, text, kind, 0, exchange, None))

    def _final(self, draft: Draft, code: int, text: str) -> None:
        """Take the last line of a reply."""
        if code == 220 and not self._waits_for("STARTTLS"):
            self._greet(draft, text)
            return
        if self._in_message:  # curl does not show the mail, so that the dot is not seen
            self._in_message = False
            self._waits.append(("message", draft))
        verb, command = self._waits.popleft() if self._waits else ("", None)
        exchange = self._exchange
        if exchange is not None and verb in ("AUTH", "answer", ""):
            exchange.reply, exchange.reply_code, exchange.reply_text = draft, code, text
            exchange.is_record_silent |= not verb
            verb = "AUTH"
            if code == 235:
                self.authcid = exchange.user
            self._end_exchange()
        self.replies.append(Reply(draft, code, text, verb, self._last_code, exchange, command, self.hello == "HELO"))
        self._last_code = code
        self._after(verb, code)

    def _greet(self, draft: Draft, text: str) -> None:
        """Take a greeting: a session begins, whatever was before."""
        has_tls = self.has_tls and not self.is_greeted
        self._end_exchange()
        self._reset()
        self.has_tls, self.is_greeted = has_tls, True
        self.replies.append(Reply(draft, 220, text, "greeting", 0, None, None))

    def _after(self, verb: str, code: int) -> None:
        """Follow what a reply changes."""
        if verb in ("EHLO", "LHLO", "HELO") and code == 250:
            self.hello, self.in_mail = verb, False
            if verb == "EHLO" and self.offered is None:
                self.offered = ()
        elif verb == "STARTTLS" and code == 220:
            self._reset()
            self.has_tls = self.is_greeted = True
        elif verb == "MAIL" and code == 250:
            self.in_mail = True
        elif verb == "DATA" and code == 354:
            self._in_message = True
        elif verb in ("RSET", "message"):
            self.in_mail = False
        elif verb == "QUIT":
            self._end_exchange()

    def _end_exchange(self) -> None:
        self._last_exchange = self._exchange
        self._exchange = None


GLUED_AUTH: Final = (
    'After AUTH come a blank and the name of a mechanism: "AUTH=…" is what some servers announce in the reply to'
    " EHLO, not what a client sends."
)
STRAY: Final = "No command that SMTP knows; hidden, since it may be a secret in the wrong place."
STRAY_BASE64: Final = "Base64 outside of an AUTH exchange."
