"""Who decides: the user table is asked whether a client's proof is right.

Note for maintainers: an exchange knows how to talk, an authority knows who may come in. `TableAuthority` asks a table
of accounts; `checkpassword.ModuleAuthority` runs a checkpassword module, as qmail-smtpd does.

Rule 1: unknown user and wrong password take the same path: the comparison is made for an unknown user as well, with an
account that nobody can open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from indimail_kit.auth.stored import NOBODY, Account, Proof

Lookup = Callable[[str], Account | None]
"""Address -> account, or None for an unknown user; may raise AccountError."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an authority says of a proof.

    Attributes:
        authcid: Who the client says it is.
        reason: Why it does not come in, as a noun phrase; "" when it does.
        can_relay: Whether mail to other hosts is taken.
        server_proof: What proves to the client that the server knows the password too, b"" where there is nothing.
    """

    authcid: str
    reason: str = ""
    can_relay: bool = False
    server_proof: bytes = field(default=b"", repr=False)

    @property
    def ok(self) -> bool:
        """Say whether the client comes in."""
        return not self.reason


class Authority(Protocol):
    """Finds accounts and judges proofs."""

    def find(self, authcid: str) -> Account | None:
        """Return the account of a user, None for an unknown one; a mechanism asks that needs keys before the proof.

        Raises:
            AccountError: The table does not answer.
        """

    def judge(self, proof: Proof) -> Judgement:
        """Say whether a proof is right and the user may come in.

        Raises:
            AccountError: The table does not answer.
            MissingPartError: Something is missing here that the comparison needs.
        """


UNKNOWN_USER: Final = "an unknown user"
WRONG_PASSWD: Final = "a wrong password"  # noqa: S105 - it opens nothing


class TableAuthority:
    """An authority that asks a table of accounts.

    Args:
        lookup: Address -> account; see `Lookup`.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def find(self, authcid: str) -> Account | None:
        """Return the account of a user, None for an unknown one."""
        return self._lookup(authcid)

    def judge(self, proof: Proof) -> Judgement:
        """Compare the proof with the table."""
        account = self._lookup(proof.authcid)
        is_right = proof.matches(account if account is not None else NOBODY)
        if account is None:
            return Judgement(proof.authcid, UNKNOWN_USER)
        if not is_right:
            return Judgement(proof.authcid, WRONG_PASSWD)
        if not account.is_active:
            return Judgement(proof.authcid, "an inactive account")
        if not account.can_smtp:
            return Judgement(proof.authcid, "an account without SMTP")
        return Judgement(proof.authcid, can_relay=account.can_relay, server_proof=proof.answer(account))
