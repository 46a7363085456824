"""Logins that fail, each for one reason: played against the kit's own server, so that the replies are true.

Source: what people ask about telnet, swaks and mail clients; `auth.annotate_mistakes` has many more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from indimail_kit.auth import cram, framing
from indimail_kit.auth.smtp_auth import ServerExchange
from indimail_kit.auth.stored import Account, encode_pw_passwd


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who logs in.

    Attributes:
        user: The right address.
        password: The right password.
        challenge: What a CRAM server asks.
    """

    user: str
    password: str
    challenge: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """A reason why a login fails.

    Attributes:
        name: What a learner writes.
        meaning: The reason, in a few words.
        mechanism: With which mechanism it happens.
        answers: What the client sends after each 334, before Base64.
        not_this: The sentence for a learner who thinks that it is this, where it is another.
    """

    name: str
    meaning: str
    mechanism: str
    answers: Callable[[Login], tuple[bytes, ...]]
    not_this: str


FAILURES: Final = (
    Failure(
        "newline", "a newline is inside of the Base64", "LOGIN",
        lambda login: (login.user.encode(), login.password.encode() + b"\n"),
        "No line end is inside of any answer of it.",
    ),
    Failure(
        "no domain", "the user has no domain", "LOGIN",
        lambda login: (login.user.partition("@")[0].encode(), login.password.encode()),
        "Its user has a domain: decode the first answer.",
    ),
    Failure(
        "utf-16", "the password is in UTF-16", "LOGIN",
        lambda login: (login.user.encode(), login.password.encode("utf-16-le")),
        "UTF-16 would show as a NUL behind each letter, and there is none.",
    ),
    Failure(
        "upper case", "the digest is in capital letters", "CRAM-MD5",
        lambda login: (f"{login.user} {cram.digest(login.challenge, passwd=login.password).upper()}".encode(),),
        "No digest in capital letters was sent in it.",
    ),
    Failure(
        "twice", "the password was encoded twice", "LOGIN",
        lambda login: (login.user.encode(), framing.encode_base64(login.password.encode()).encode()),
        "Encoded twice means that Base64 comes out when you decode. Here something else comes out.",
    ),
    Failure(
        "exchanged", "user and password have changed places", "LOGIN",
        lambda login: (login.password.encode(), login.user.encode()),
        "What stands at each prompt is what belongs there: user first, password second.",
    ),
    Failure(
        "no user", "the user is missing before the digest", "CRAM-MD5",
        lambda login: (cram.digest(login.challenge, passwd=login.password).encode(),),
        "A user stands before the digest, or there is no digest in it at all.",
    ),
)  # fmt: skip
"""The reasons, in the order in which a learner sees them."""


def play(failure: Failure, login: Login) -> str:
    """Return the dialogue of a failed login, ``S: `` or ``C: `` before each line."""
    account = Account(address=login.user, pw_passwd=encode_pw_passwd(login.password))
    exchange = ServerExchange(failure.mechanism, lookup={login.user: account}.get, challenge=login.challenge)
    said = exchange.start()
    lines = [f"C: AUTH {failure.mechanism}", f"S: {said.line}"]
    for octets in failure.answers(login):
        token = framing.encode_base64(octets)
        said = exchange.feed(token.encode())
        lines += [f"C: {token}", f"S: {said.line}"]
    return "\n".join(lines)
