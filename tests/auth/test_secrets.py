"""A canary password is in no repr, no error and no error's context, in no form: raw, Base64, hex."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indimail_kit.auth import cram, crypt3, digest_md5, framing, login, plain, scram, xoauth2
from indimail_kit.auth.accounts import UserTable
from indimail_kit.auth.authority import Judgement, TableAuthority
from indimail_kit.auth.checkpassword import ModuleAnswer, decode_fields, judge_fields, make_fields
from indimail_kit.auth.checkpassword_run import run_module
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
MD5 = hashlib.md5(OCTETS, usedforsecurity=False).hexdigest()
FORMS = (CANARY, MD5, B64.decode(), B64.decode().rstrip("=")[:-1], PLAIN_B64.decode()[8:-4], OCTETS.hex())
ACCOUNT = Account(address="tim@example.com", pw_passwd=f"{{CRAM}}{CANARY},", scram=CANARY)


DIGEST = b'realm="r",nonce="n",algorithm=md5-sess'
CREDENTIALS = Credentials(authcid="tim", passwd=CANARY)
AVAILABLE = {name: row for name, row in MECHANISMS.items() if row.is_available}


def exchange(
    mechanism: str, *lines: bytes, initial_response: bytes | None = None, indimail_bugs: bool = False
) -> ServerExchange:
    """Return a server's exchange after these lines."""
    server = ServerExchange(
        mechanism, lookup=lambda _authcid: ACCOUNT, initial_response=initial_response, indimail_bugs=indimail_bugs
    )
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
    "XOauth2Message": xoauth2.XOauth2Message(authcid="tim", token=CANARY),
    "ScramKeys": scram.make_keys(CANARY),
    "DigestResponse": digest_md5.respond(DIGEST, authcid="tim", passwd=CANARY),
    "ScramClient": scram.ScramClient(authcid="tim", passwd=CANARY, hash_name="sha256"),
    "Fields": make_fields(b"tim", OCTETS, OCTETS, method=1),
    "Verdict": judge_fields(make_fields(b"tim", OCTETS, method=1), TableAuthority(lambda _authcid: ACCOUNT)),
    "ModuleAnswer": ModuleAnswer(0, OCTETS),
    "Judgement": Judgement("tim", server_proof=OCTETS),
    **{f"client steps, {name}": row.steps(CREDENTIALS) for name, row in AVAILABLE.items()},
    "ServerExchange, bugs": exchange("PLAIN", initial_response=PLAIN_B64, indimail_bugs=True),
    "AuthResult, bugs": exchange("LOGIN", b"dGlt", b"!" + B64, indimail_bugs=True).result,
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
    "XOAUTH2, cut": lambda: xoauth2.decode(b"user=tim\x01auth=Bearer " + OCTETS),
    "XOAUTH2, blank": lambda: xoauth2.encode(authcid="tim", token=CANARY + " "),
    "DIGEST, no directives": lambda: digest_md5.decode_response(OCTETS),
    "DIGEST, not UTF-8": lambda: digest_md5.decode_response(b"charset=utf-8,username=" + OCTETS + b'"\xff"'),
    "DIGEST, surrogate": lambda: digest_md5.respond(DIGEST, authcid="tim", passwd=CANARY + "\ud800"),
    "SCRAM, client-first": lambda: scram.decode_client_first(OCTETS),
    "SCRAM, forbidden": lambda: scram.make_keys(CANARY + "\u0007"),
    "SCRAM, client": lambda: scram.ScramClient(authcid="tim", passwd=CANARY + "\u0007", hash_name="sha256"),
    "SCRAM, stored keys": lambda: scram.decode_keys("{SCRAM-SHA-256}" + CANARY),
    "crypt, NUL": lambda: crypt3.make_hash(CANARY + "\0"),
    "crypt, salt": lambda: crypt3.make_hash(CANARY, salt="a$b"),
    "crypt, no hash": lambda: crypt3.check_hash(CANARY, CANARY),
    "fd 3, one field": lambda: decode_fields(OCTETS),
    "fd 3, too long": lambda: make_fields(b"tim", OCTETS * 50).encode(),
    "module that is not there": lambda: run_module(["/no/such/module"], OCTETS),
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
