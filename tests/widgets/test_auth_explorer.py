"""The explorer by its traits, and the rows that it draws."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac

import pytest

from indimail_kit.auth.mechanisms import available_mechanisms
from indimail_kit.errors import SaslError
from indimail_kit.widgets.auth_bytes import MAX_FIELD_CHARACTERS, ROLES, Login, explain_login, play, rows_of
from indimail_kit.widgets.auth_explorer import AuthExplorer

CANARY = "canary-4711"
SEED = Login(
    mechanism="CRAM-MD5",
    authcid="postmaster@example.com",
    passwd="pass",
    challenge=b"<20137.1267585100@indimail.org>",
)
SEED_ANSWER = "cG9zdG1hc3RlckBleGFtcGxlLmNvbSBjZWU4Mzk3YWIxMjNhMGQ0ZjNhN2ZkZGJiOWNiODcxOQ=="


def octets_of(row) -> bytes:
    """Return the octets of a row of bytes."""
    return bytes.fromhex("".join(digits for piece in row.pieces for _, digits in piece.cells))


def wire_of(row) -> str:
    """Return the characters of a row of the wire."""
    return "".join(text for piece in row.pieces for text, _ in piece.cells)


def rows_by_name(login: Login, *, shows_secrets: bool = True):
    """Return the rows by their names; where a name comes twice, the last."""
    explanation, _ = explain_login(login, shows_secrets=shows_secrets)
    return {row.name: row for row in rows_of(login, explanation)}


@pytest.fixture
def make_explorer():
    """Give a maker of explorers, closed at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(contextlib.closing(AuthExplorer(**options)))


@pytest.fixture
def sent(monkeypatch):
    """Give the list of messages that go to the browser."""
    messages = []
    monkeypatch.setattr(AuthExplorer, "send", lambda _self, one, *_rest: messages.append(one))
    return messages


def test_the_seeds_answer_is_on_the_wire():
    """The bytes on the wire are the seed text's, and the padding has its own letter."""
    row = rows_by_name(SEED)["client, on the wire"]

    assert (wire_of(row), row.pieces[-1].letter) == (SEED_ANSWER, "B")


def test_each_octet_has_its_role():
    """User, blank, digest; and in the challenge pid, time and host."""
    rows = rows_by_name(SEED)

    letters = "".join(piece.letter for piece in rows["client says"].pieces)
    challenge = [piece.role for piece in rows["server says"].pieces if piece.letter == "C"]
    assert (letters, challenge) == ("U·D", ["challenge pid", "challenge time", "challenge host"])


def test_the_derivation_is_hmacs():
    """Key block, pads and digests are what RFC 2104 says, by hashlib and hmac alone."""
    rows = rows_by_name(SEED)
    key = b"pass".ljust(64, b"\0")
    inner = hashlib.md5(bytes(one ^ 0x36 for one in key) + SEED.challenge, usedforsecurity=False).digest()

    assert (octets_of(rows["key block"]), octets_of(rows["inner digest"]), octets_of(rows["outer digest"])) == (
        key,
        inner,
        hmac.digest(b"pass", SEED.challenge, "md5"),
    )


def test_the_filling_of_the_key_block_is_nul():
    """Four octets of the password, sixty NULs, told apart."""
    pieces = rows_by_name(SEED)["key block"].pieces

    assert [(piece.letter, len(piece.cells)) for piece in pieces] == [("P", 4), ("Z", 60)]


@pytest.mark.parametrize("name", available_mechanisms())
def test_every_mechanism_can_be_explored(name):
    """Both sides speak, every piece has a letter of the legend, and nothing is lost of the wire."""
    challenge = SEED.challenge if name.startswith("CRAM-") else b""
    login = Login(
        mechanism=name, authcid="ann@example.com", passwd="pass", challenge=challenge, nonce="fyko+d2lbbFgONRv"
    )
    chunks, answers = play(login)
    explanation, _ = explain_login(login, shows_secrets=True)
    rows = rows_of(login, explanation)

    letters = {piece.letter for row in rows for piece in row.pieces}
    assert (letters <= set(ROLES), len(answers) >= 1, chunks[-1].octets[:3] in {b"235", b"535"}) == (True, True, True)


@pytest.mark.parametrize("name", available_mechanisms())
def test_masked_rows_hold_no_secret(name):
    """Neither the password nor its length nor a digest is in a row, for any mechanism."""
    challenge = SEED.challenge if name.startswith("CRAM-") else b""
    login = Login(
        mechanism=name, authcid="ann@example.com", passwd=CANARY, challenge=challenge, nonce="fyko+d2lbbFgONRv"
    )
    explanation, _ = explain_login(login, shows_secrets=False)
    seen = repr([row.as_document() for row in rows_of(login, explanation)])
    typed = "".join(
        "".join(text for text, _ in piece.cells) for row in rows_of(login, explanation) for piece in row.pieces
    )

    octets = CANARY.encode()
    forms = (CANARY, base64.b64encode(octets).decode(), hmac.digest(octets, SEED.challenge, "md5").hex())
    assert [form for form in forms if form in seen or form in typed] == []


@pytest.mark.parametrize("field", ["authcid", "passwd"])
def test_both_sides_of_the_longest_field(field):
    """The longest field is explored, one character more is refused."""
    values = {"authcid": "ann@example.com", "passwd": "pass", "challenge": SEED.challenge, "mechanism": "CRAM-MD5"}
    whole = Login(**(values | {field: "x" * MAX_FIELD_CHARACTERS}))
    longer = Login(**(values | {field: "x" * (MAX_FIELD_CHARACTERS + 1)}))
    with pytest.raises(SaslError, match="fields of at most"):
        explain_login(longer, shows_secrets=False)

    assert explain_login(whole, shows_secrets=False)[0].steps[-1].raw[:3] == "235"


def test_the_explorer_opens_with_the_seeds_login(make_explorer):
    """Without arguments: CRAM-MD5 as postmaster, accepted, masked."""
    view = make_explorer()

    assert (view.sentence, view.tone, "cee8397a" in repr(view.rows)) == (
        "CRAM-MD5 as postmaster@example.com: accepted.",
        "ik-good",
        False,
    )


@pytest.mark.parametrize("name", ["LOGIN", "PLAIN", "SCRAM-SHA-256"])
def test_another_mechanism_is_shown_at_once(name, make_explorer):
    """Set the trait, read the sentence."""
    view = make_explorer()
    view.mechanism = name

    assert view.sentence == f"{name} as postmaster@example.com: accepted."


def test_a_spoilt_byte_changes_the_verdict(make_explorer):
    """One digit of the digest changed: refused; taken back: accepted."""
    view = make_explorer()
    view.edit(0, base64.b64encode(b"postmaster@example.com cee8397ab123a0d4f3a7fddbb9cb8710").decode())
    spoilt = (view.tone, "refused" in view.sentence, "You changed" in view.sentence)
    view.reset()

    assert (spoilt, view.tone) == (("ik-bad", True, True), "ik-good")


@pytest.mark.parametrize("text", ["", "*", "????", "=", "AAAA", "\ud800", "A" * 100_000], ids=repr)
def test_any_answer_can_be_tried(text, make_explorer):
    """Whatever is typed as an answer: rows and a sentence, no traceback."""
    view = make_explorer()
    view.edit(0, text[:20_000])

    assert (view.tone, bool(view.rows), bool(view.sentence)) == ("ik-bad", True, True)


@pytest.mark.parametrize(
    "traits", [{"authcid": ""}, {"authcid": "a\0b"}, {"authcid": "x" * 5000}], ids=["empty", "NUL", "long"]
)
def test_no_such_login_is_said(traits, make_explorer):
    """A user that no login can have is refused in words; the next one is a login again."""
    view = make_explorer()
    view.set_trait("authcid", traits["authcid"])
    said = view.tone, bool(view.sentence)
    view.authcid = "ann@example.com"

    assert (said, view.tone) == (("ik-bad", True), "ik-good")


def test_a_typed_password_is_not_widget_state(make_explorer, sent):
    """Typed, used, shown: state, repr and HTML hold no form of it; the message to who asked has it."""
    view = make_explorer()
    view._on_message(view, {"secret": CANARY}, [])
    view._on_message(view, {"show": True}, [])
    seen = repr(view.get_state()) + repr(view) + view.static_html() + repr(view.explanation)
    key = next(row for row in sent[-1]["rows"] if row["name"] == "key")

    octets = CANARY.encode()
    digest = hmac.digest(octets, SEED.challenge, "md5").hex()
    forms = (CANARY, base64.b64encode(octets).decode(), octets.hex(), digest)
    assert ([form for form in forms if form in seen], [cell[0] for cell in key["pieces"][0]["cells"]]) == (
        [],
        [*CANARY],
    )


def test_hide_takes_the_secrets_back(make_explorer, sent):
    """After the second press the browser is told to forget."""
    view = make_explorer()
    view._on_message(view, {"show": True}, [])
    view._on_message(view, {"show": False}, [])

    assert sent[-1] == {"rows": None, "answers": []}


def test_close_forgets_the_password():
    """Nothing typed is kept after close."""
    view = AuthExplorer(passwd=CANARY)
    view.close()

    assert CANARY not in repr(vars(view))


def test_static_html_stays_behind_the_door(make_explorer, strangers, payloads):
    """A hostile user and challenge are text."""
    view = make_explorer(authcid=payloads[0][:200] or "x", challenge=payloads[1][:200] or "x")

    assert strangers(view.static_html()) == []


def test_a_kernelless_notebook_tells_it(make_explorer):
    """The mime bundle has words and HTML beside the widget."""
    data = make_explorer()._repr_mimebundle_()[0]

    assert ("byte by byte" in data["text/html"], data["text/plain"].startswith("AuthExplorer: CRAM-MD5")) == (
        True,
        True,
    )
