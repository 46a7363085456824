"""A password that went over the wire as it is: what LOGIN and PLAIN end in.

Source: the manual of checkpassword; what qmail-smtpd writes to fd 3 for these two, as recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indimail_kit.auth.stored import Account


class SentPassword:
    """Base of the values that hold user and password; a `Proof` together with their `authcid`.

    Attributes:
        passwd: The password, as it went over the wire.
    """

    __slots__ = ()
    passwd: str

    def matches(self, account: Account) -> bool:
        """Say whether the password is the account's."""
        return account.has_passwd(self.passwd)

    def answer(self, _account: Account) -> bytes:
        """Return nothing: the server proves nothing."""
        return b""

    def fd3_fields(self) -> tuple[bytes, bytes]:
        """Return the password and nothing."""
        return self.passwd.encode("utf-8", "surrogateescape"), b""
