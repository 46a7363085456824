"""A few accounts, and the look-up that finds them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from indimail_kit.auth.stored import NO_RELAY, NO_SMTP, Account
from indimail_kit.errors import AccountError

ACCOUNTS = {
    "tim": Account(address="tim", pw_passwd="{CRAM}tanstaaftanstaaf,"),
    "postmaster@example.com": Account(address="postmaster@example.com", pw_passwd="{CRAM}pass,"),
    "idle@example.com": Account(address="idle@example.com", pw_passwd="{CRAM}pass,", is_active=False),
    "nosmtp@example.com": Account(address="nosmtp@example.com", pw_passwd="{CRAM}pass,", pw_gid=NO_SMTP),
    "norelay@example.com": Account(address="norelay@example.com", pw_passwd="{CRAM}pass,", pw_gid=NO_RELAY),
    "hashed@example.com": Account(address="hashed@example.com", pw_passwd="$6$salt$hash"),
}


@pytest.fixture(scope="session")
def lookup() -> Callable[[str], Account | None]:
    """Return a look-up over a few accounts; "broken@example.com" is the user whose table does not answer."""

    def find(authcid: str) -> Account | None:
        if authcid == "broken@example.com":
            raise AccountError("a user table that does not answer")
        return ACCOUNTS.get(authcid)

    return find
