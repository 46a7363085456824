"""Lesson 01, exercises about judgement: reading a session, what a listener can do, what a table must hold, failures.

Source: RFC 4616 section 2, RFC 4954; `auth.mechanisms` is the one table of what is true of a mechanism.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from indimail_kit.auth import plain
from indimail_kit.auth.mechanisms import MECHANISMS, Mechanism
from indimail_kit.course.exercise import Drawn, Exercise
from indimail_kit.course.failures import FAILURES, Failure, Login, play
from indimail_kit.course.feedback import Grade
from indimail_kit.course.judging import judge_choices, judge_names, judge_text, text_of
from indimail_kit.course.lesson_01_bytes import SERVER
from indimail_kit.course.words import draw_password, draw_user

if TYPE_CHECKING:
    from indimail_kit.auth.annotate_model import Step

SCRAM: Final = ("SCRAM-SHA-1", "SCRAM-SHA-256")
CHALLENGED: Final = tuple(name for name in MECHANISMS if name.startswith("CRAM-") or name == "DIGEST-MD5")
HASH_IS_ENOUGH: Final = tuple(
    name for name, mechanism in MECHANISMS.items() if "a hash is enough" in mechanism.server_stores
)


def _explained(session: str) -> tuple[Step, ...]:
    """Return the steps; the explainer has many tables and is imported when it is needed."""
    from indimail_kit.auth.annotate import explain

    return explain(session).steps


# --- 01.4: read a swaks session ---------------------------------------------------------------------------------

_SWAKS: Final = """\
=== Trying {server}:25...
=== Connected to {server}.
<-  220 {server} (NO UCE) ESMTP IndiMail 1.334
 -> EHLO laptop.example.com
<-  250-{server}
<-  250 AUTH LOGIN PLAIN CRAM-MD5
 -> AUTH PLAIN {token}
<-  235 ok, go ahead (#2.0.0)
 -> MAIL FROM:<{sender}>
<-  250 ok
 -> RCPT TO:<{recipient}>
<-  250 ok
 -> QUIT
<-  221 {server} closing connection
=== Connection closed with remote host."""


def _draw_session(rng: random.Random) -> Drawn:
    users: dict[str, None] = {}
    while len(users) < 4:
        users[draw_user(rng)] = None
    authzid, authcid, sender, recipient = users
    password = draw_password(rng)
    token = plain.encode(authcid=authcid, passwd=password, authzid=authzid)
    session = _SWAKS.format(server=SERVER, token=token, sender=sender, recipient=recipient)
    traps = {
        authzid: "This is the authzid: whom the client wants to act for. The password is another user's.",
        sender: "This is the envelope's sender, from MAIL FROM. Anybody may write any sender; look at the login.",
        recipient: "This is the recipient. Look at the login.",
        password: "This is the password. Who is the user that it belongs to?",
        token: "This is the message as sent. Decode it, or let annotate.explain do it.",
        f"{authzid}\0{authcid}": "Authzid and user with a NUL between. One of them only.",
        authcid.partition("@")[0]: "The domain is missing: IndiMail's users are whole addresses.",
    }
    return Drawn(given={"session": session}, right=authcid, traps=traps)


def _otherwise_session(_text: str) -> str:
    return "This address is not in the session's login. annotate.explain names each part; look for the role “user”."


def _solve_session(given: Mapping[str, object]) -> str:
    steps = _explained(text_of(given, "session"))
    return next(part.text for step in steps for part in step.parts if part.role == "user")


SESSION: Final = Exercise(
    number="01.4",
    grade=Grade.CHANGE,
    title="read a swaks session",
    goal="Four addresses are in this session, two of them hidden in Base64. Whose password was used to log in?",
    reason="Right: the second part of PLAIN, the authcid. The first, the authzid, asks to act for somebody else;"
    " IndiMail drops it. MAIL FROM is another matter altogether.",
    way="annotate.explain(session) gives the line's parts; the role “user” is the authcid, between the two NULs.",
    hints=(
        'print(annotate.explain(task["session"]).as_text()) takes each line apart.',
        "PLAIN is authzid NUL authcid NUL passwd. Here the authzid is not empty.",
        "The part with the role “user”; RFC 4616 section 2 calls it authcid.",
    ),
    draw=_draw_session,
    solve=_solve_session,
    judge=partial(judge_text, _otherwise_session),
)

# --- 01.8 and 01.9: sets of mechanisms --------------------------------------------------------------------------


def _judge_names(
    drawn: Drawn, answer: object, *, wrong: Mapping[str, str], missing: str, is_wanted_any: str
) -> str | None:
    """Compare a set of mechanisms; `wrong` has the sentence for each that does not belong to the right ones."""
    return judge_names(
        drawn,
        answer,
        listed=frozenset(cast("tuple[str, ...]", drawn.given["mechanisms"])),
        what="Names of mechanisms",
        wrong=wrong.get,
        missing=missing,
        is_wanted_any=is_wanted_any,
    )


def _draw_names(rng: random.Random, *, right: tuple[str, ...], extra: tuple[str, ...]) -> Drawn:
    names = [*right, *SCRAM[:1], *SCRAM[1:], *rng.sample(CHALLENGED, 3), *extra]
    rng.shuffle(names)
    return Drawn(given={"mechanisms": tuple(names)}, right=frozenset(right))


def _draw_replay(rng: random.Random) -> Drawn:
    right = tuple(name for name, mechanism in MECHANISMS.items() if mechanism.can_listener_log_in)
    return _draw_names(rng, right=right, extra=())


def _select(given: Mapping[str, object], holds: Mapping[str, bool]) -> frozenset[str]:
    return frozenset(name for name in cast("tuple[str, ...]", given["mechanisms"]) if holds[name])


def _solve_replay(given: Mapping[str, object]) -> frozenset[str]:
    return _select(given, {name: row.can_listener_log_in for name, row in MECHANISMS.items()})


REPLAY: Final = Exercise(
    number="01.8",
    grade=Grade.CHANGE,
    title="what a listener can replay",
    goal="There is no TLS, and somebody has recorded one login with each of these. With which can the listener log in"
    " tomorrow, without guessing anything?",
    reason="Right: where the secret itself, a password or a token, goes over the wire, whoever heard it has it. (A"
    " token works until it runs out.) All the others answer a challenge that does not come again.",
    way="[name for name, row in MECHANISMS.items() if row.can_listener_log_in].",
    hints=(
        "What is the same in each login with the mechanism? A listener can send that again.",
        "A challenge or a nonce changes each time. Which mechanisms have none from the server?",
        "The column can_listener_log_in of kit.auth.MECHANISMS.",
    ),
    draw=_draw_replay,
    solve=_solve_replay,
    judge=partial(
        _judge_names,
        wrong={
            **dict.fromkeys(
                CHALLENGED,
                "One of your names answers a challenge of the server: tomorrow's is another. A listener may guess"
                " offline, but cannot replay.",
            ),
            **dict.fromkeys(
                SCRAM, "One of your names is SCRAM: the proof holds nonces of both sides, and tomorrow's are others."
            ),
        },
        missing="None of your names is wrong, but one is missing. Ask of each: does the secret itself, password or"
        " token, go over the wire?",
        is_wanted_any="Not all of them. In some the server begins with something that does not come again.",
    ),
)


def _draw_hashes(rng: random.Random) -> Drawn:
    return _draw_names(rng, right=HASH_IS_ENOUGH, extra=())


def _solve_hashes(given: Mapping[str, object]) -> frozenset[str]:
    return _select(given, {name: _is_hash_enough(row) for name, row in MECHANISMS.items()})


def _is_hash_enough(row: Mechanism) -> bool:
    return "a hash is enough" in row.server_stores


HASHES: Final = Exercise(
    number="01.9",
    grade=Grade.CHANGE,
    title="what a table of hashes can do",
    goal="A server's table has nothing but hashes of passwords, such as `$6$…` (sha512-crypt). Which of these can it"
    " offer?",
    reason="Right: to check against a hash, the server must be told the password itself. This is the price: on the wire"
    " it needs TLS, and on the disk no password lies in clear.",
    way="Where server_stores says that a hash is enough: the server hashes what it hears, and compares.",
    hints=(
        "How does a server check a password against `$6$…`? It hashes the password. Who gives it one?",
        "CRAM's HMAC needs the password as its key; SCRAM needs keys of its own kind, made when the password was set.",
        "The column server_stores of kit.auth.MECHANISMS: look for “a hash is enough”.",
    ),
    draw=_draw_hashes,
    solve=_solve_hashes,
    judge=partial(
        _judge_names,
        wrong={
            **dict.fromkeys(
                CHALLENGED,
                "One of your names computes a digest under the password: the server must do the same, and has only a"
                " hash.",
            ),
            **dict.fromkeys(
                SCRAM,
                "One of your names is SCRAM. It also stores no password, but salt and keys of its own, which cannot be"
                " made from `$6$…`.",
            ),
        },
        missing="None of your names is wrong, but one is missing. Which others tell the server the password itself?",
        is_wanted_any="Not all of them. Some need more on the server's side than a hash.",
    ),
)

# --- 01.10: three failures --------------------------------------------------------------------------------------

LETTERS: Final = ("A", "B", "C")
_BY_NAME: Final = {failure.name: failure for failure in FAILURES}


def _draw_padded(rng: random.Random) -> str:
    """Return a password whose Base64 ends with =, so that Base64 of Base64 shows."""
    while len(password := draw_password(rng)) % 3 == 0:
        pass
    return password


def _draw_failures(rng: random.Random) -> Drawn:
    drawn = rng.sample(FAILURES, len(LETTERS))
    sessions = {}
    for letter, failure in zip(LETTERS, drawn, strict=True):
        challenge = f"<{rng.randrange(2_000, 4_000_000)}.{rng.randrange(1_700_000_000, 1_795_000_000)}@{SERVER}>"
        login = Login(user=draw_user(rng), password=_draw_padded(rng), challenge=challenge.encode())
        sessions[letter] = play(failure, login)
    reasons = "\n".join(f"{failure.name:<11} {failure.meaning}" for failure in FAILURES)
    right = {letter: failure.name for letter, failure in zip(LETTERS, drawn, strict=True)}
    return Drawn(given={**sessions, "reasons": reasons}, right=right)


SENTENCES: Final = {
    "exchanged": "changed places",
    "newline": "newline at the end",
    "no domain": "The user has no domain",
    "utf-16": "This is UTF-16",
    "upper case": "capital letters",
    "twice": "Base64 of Base64",
    "no user": "digest alone",
}
"""Reason -> words of the explainer's verdict for it; exchanged first, for then the first answer lacks a domain, too."""


def _solve_failures(given: Mapping[str, object]) -> dict[str, str]:
    return {letter: _reason(text_of(given, letter)).name for letter in LETTERS}


def _reason(session: str) -> Failure:
    said = " ".join(step.verdict for step in _explained(session))
    return next(_BY_NAME[name] for name, words in SENTENCES.items() if words in said)


THREE_FAILURES: Final = Exercise(
    number="01.10",
    grade=Grade.FIND_OUT,
    title="why three logins failed",
    goal="In each of these sessions the person knew the right password. Why did the login fail? One reason for each.",
    reason="Right, all three. The server's words told you next to nothing, on purpose; the octets told you everything.",
    way="Decode each answer, or let annotate.explain name what it sees; then take the reason of the list.",
    hints=(
        "Decode each line that begins with C: base64.b64decode(…). What comes out, and what should?",
        "Look at the end (\\n), at each second octet (\\x00), at capitals, at what comes first.",
        'print(annotate.explain(task["A"]).as_text()) says it in words.',
    ),
    draw=_draw_failures,
    solve=_solve_failures,
    judge=partial(
        judge_choices,
        {failure.name: failure.meaning for failure in FAILURES},
        lambda _letter, choice: _BY_NAME[choice].not_this,
    ),
)
