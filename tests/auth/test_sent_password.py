"""LOGIN and PLAIN end in the same thing: a password that can be compared as it is."""

from __future__ import annotations

import pytest

from indimail_kit.auth.login import LoginMessages
from indimail_kit.auth.plain import PlainMessage
from indimail_kit.auth.stored import Account

ACCOUNT = Account(address="user@example.com", pw_passwd="{CRAM}pencil,")


@pytest.mark.parametrize("proof", [LoginMessages, PlainMessage])
@pytest.mark.parametrize(("passwd", "is_right"), [("pencil", True), ("Pencil", False), ("", False)])
def test_a_sent_password_is_right_or_not(proof, passwd, is_right):
    """It is compared as it is, and the server proves nothing in return."""
    sent = proof(authcid="user@example.com", passwd=passwd)

    assert (sent.matches(ACCOUNT), sent.answer(ACCOUNT)) == (is_right, b"")


@pytest.mark.parametrize("proof", [LoginMessages, PlainMessage])
def test_a_module_gets_the_very_octets(proof):
    """Fd 3 has the password as it came, octets that are no UTF-8 included, and an empty third field."""
    assert proof(authcid="u", passwd="p\udcff").fd3_fields() == (b"p\xff", b"")
