"""A canary password is in no repr, no error and no error's context, in no form: raw, Base64, hex."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indimail_kit.auth import cram, framing, login, plain
from indimail_kit.auth.accounts import UserTable
from indimail_kit.auth.cram import CramProof, CramResponse
from indimail_kit.auth.login import LoginMessages
from indimail_kit.auth.mechanisms import MECHANISMS, Credentials
from indimail_kit.auth.plain import PlainMessage
from indimail_kit.auth.smtp_auth import ClientExchange, ServerExchange, parse_auth, parse_reply
from indimail_kit.auth.stored import Account, decode_pw_passwd
from indimail_kit.auth.transcript import WireChunk
from indimail_kit.errors import KitError

CANARY = "zitronenfalter"
OCTETS = CANARY.encode()
B64 = base64.b64encode(OCTETS)
PLAIN_B64 = base64.b64encode(b"\0tim\0" + OCTETS)
FORMS = (CANARY, B64.decode(), B64.decode().rstrip("=")[:-1], PLAIN_B64.decode()[8:-4], OCTETS.hex())
ACCOUNT = Account(address="tim@example.com", pw_passwd=f"{{CRAM}}{CANARY},", scram=CANARY)


def exchange(mechanism: str, *lines: bytes, initial_response: bytes | None = None) -> ServerExchange:
    """Return a server's exchange after these lines."""
    server = ServerExchange(mechanism, lookup=lambda _authcid: ACCOUNT, initial_response=initial_response)
    server.start()
    for line in lines:
        server.feed(line)
    return server


def begun(client: ClientExchange) -> ClientExchange:
    """Return a client that has begun."""
    client.start()
    return client


OBJECTS: dict[str, object] = {
    "PlainMessage": PlainMessage(authcid="tim", passwd=CANARY),
    "LoginMessages": LoginMessages(authcid="tim", passwd=CANARY),
    "CramResponse": CramResponse(authcid="tim", digest=CANARY),
    "CramProof": CramProof(response=CramResponse(authcid="tim", digest=CANARY), challenge=b"<1.1@a>", hash_name="md5"),
    "Credentials": Credentials(authcid="tim", passwd=CANARY),
    "client steps": MECHANISMS["CRAM-MD5"].steps(Credentials(authcid="tim", passwd=CANARY)),
    "Account": ACCOUNT,
    "account row": ACCOUNT.as_row(),
    "StoredPasswd": decode_pw_passwd(f"{{CRAM}}{CANARY},{CANARY}"),
    "StoredPasswd, clear": decode_pw_passwd(CANARY),
    "WireChunk": WireChunk(0, "client", b"AUTH PLAIN " + PLAIN_B64),
    "AuthCommand": parse_auth(b"PLAIN " + PLAIN_B64),
    "AuthCommand, mechanism forgotten": parse_auth(PLAIN_B64),
    "ServerExchange": exchange("PLAIN", initial_response=PLAIN_B64),
    "AuthResult, accepted": exchange("PLAIN", initial_response=PLAIN_B64).result,
    "AuthResult, malformed": exchange("LOGIN", b"dGlt", b"!" + B64).result,
    "AuthResult, mechanism forgotten": exchange(B64.decode()).result,
    "ClientExchange": ClientExchange("PLAIN", authcid="tim", passwd=CANARY),
    "ClientExchange, begun": begun(ClientExchange("CRAM-MD5", authcid="tim", passwd=CANARY)).__dict__,
}
"""Everything of the room that has held the canary."""


@pytest.mark.parametrize("thing", OBJECTS.values(), ids=OBJECTS)
def test_password_is_never_shown(thing: object) -> None:
    """Neither repr nor str of anything that holds the password shows it."""
    assert [form for form in FORMS if form in repr(thing) + str(thing)] == []


def database_with_canary() -> UserTable:
    """Return a table in memory with one user."""
    table = UserTable("sqlite://")
    table.add("tim@example.com", CANARY)
    return table


def add_twice() -> None:
    """Add a user who is there."""
    with database_with_canary() as table:
        table.add("tim@example.com", CANARY)


def add_without_table() -> None:
    """Add a user where the table has gone: the database's own error has the statement and its parameters."""
    with database_with_canary() as table:
        table._run(lambda connection: connection.exec_driver_sql("DROP TABLE indibak"))
        table.add("other@example.com", CANARY)


def add_over_long() -> None:
    """Add a password that the column cannot hold."""
    with database_with_canary() as table:
        table.add("bob@example.com", CANARY * 20)


FAULTS: dict[str, Callable[[], object]] = {
    "Base64 with a blank": lambda: framing.decode_base64(B64 + b" "),
    "Base64 cut": lambda: framing.decode_base64(B64[:-1]),
    "Base64 with spare bits": lambda: framing.decode_base64(B64.rstrip(b"=")[:-1] + b"J="),
    "raw for Base64": lambda: framing.decode_base64(OCTETS),
    "PLAIN, two parts": lambda: plain.decode(b"tim\0" + OCTETS),
    "PLAIN, not UTF-8": lambda: plain.decode(b"\0tim\0\xff" + OCTETS),
    "PLAIN, NUL": lambda: plain.encode(authcid="tim", passwd=CANARY + "\0"),
    "PLAIN, surrogate": lambda: plain.encode(authcid="tim", passwd=CANARY + "\ud800"),
    "LOGIN, not UTF-8": lambda: login.decode(b"tim", b"\xff" + OCTETS),
    "LOGIN, surrogate": lambda: login.encode(authcid="tim", passwd=CANARY + "\ud800"),
    "CRAM, no blank": lambda: cram.decode_response(OCTETS),
    "CRAM, not UTF-8": lambda: cram.decode_response(OCTETS + b" \xff"),
    "CRAM, surrogate": lambda: cram.digest(b"x", passwd=CANARY + "\ud800"),
    "CRAM, unknown hash": lambda: cram.digest(b"x", passwd=CANARY, hash_name="none"),
    "CRAM, bad challenge": lambda: cram.respond(B64.decode() + "!", authcid="tim", passwd=CANARY),
    "client, unknown mechanism": lambda: ClientExchange(B64.decode(), authcid="tim", passwd=CANARY),
    "reply line": lambda: parse_reply(OCTETS),
    "crypt only": lambda: Account(address="a@b", pw_passwd=f"$6${CANARY}").has_passwd(CANARY),
    "add twice": add_twice,
    "add without a table": add_without_table,
    "over-long password": add_over_long,
}
"""Everything of the room that can fail while it holds the canary."""


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_error_never_carries_the_password(fault: Callable[[], object]) -> None:
    """No error, and nothing that it was raised from or during, has the password in text, repr or attributes."""
    with pytest.raises(KitError) as caught:
        fault()
    texts = [f"{error} {error!r} {error.args} {vars(error)}" for error in chain(caught.value)]
    assert [form for form in FORMS for text in texts if form in text] == []


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and everything behind it, shown or not."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def test_canary_would_be_found() -> None:
    """The search itself works: each form is found where it stands."""
    assert [form for form in FORMS if form not in repr(("x" + form, 1))] == []


def test_table_file_is_the_only_place_of_the_password(tmp_path: Path) -> None:
    """The database holds the clear password (CRAM needs it); no other file appears beside it."""
    with UserTable(tmp_path / "users.db") as table:
        table.add("tim@example.com", CANARY)
    assert [path.name for path in tmp_path.iterdir() if OCTETS in path.read_bytes()] == ["users.db"]
