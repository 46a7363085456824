"""What the table keeps of a password: the forms of pw_passwd, and the account that has it.

Source: IndiMail vchkpass.c `main()` and get_scram_secrets.c (forms); vpasswd(1) -e; indimail.h (pw_gid flags).

Note for maintainers: one column holds five forms, told apart only by how it begins::

    {CRAM}clear,crypt                                        the last comma divides; both halves may be empty
    {SCRAM-SHA-1}iter,salt,stored,server[:hex:clear],crypt   also -SHA-256; clear only when the administrator chose so
    $id$salt$hash, or 13 characters of DES                   crypt(3)
    !…, *…, or nothing                                       locked: no password fits
    anything else                                            the clear password itself, as `vpasswd -e` of 2010 left it

Rule 1: no secret reaches a repr.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

from indimail_kit.auth import crypt3

NO_RELAY: Final = 0x20
"""Bit of pw_gid: may log in, but mail to other hosts is refused. Source: indimail.h."""

NO_SMTP: Final = 0x200
"""Bit of pw_gid: may not use SMTP at all. Source: indimail.h."""

_SCRAM: Final = re.compile(r"\{SCRAM-SHA-(?:1|256|512)\}[^,]*,[^,]*,[^,]*,([^,]*)(?:,(.*))?", re.DOTALL)
_CRYPT: Final = re.compile(r"\$[0-9a-z]{1,8}\$.*|[./0-9A-Za-z]{13}", re.DOTALL)
_CRAM_PREFIX: Final = "{CRAM}"


class StoredForm(Enum):
    """How a password is kept."""

    CRAM = "{CRAM}"
    SCRAM = "{SCRAM}"
    CRYPT = "crypt"
    LOCKED = "locked"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class StoredPasswd:
    """A decoded pw_passwd.

    Attributes:
        form: Which form it has.
        clear: The clear password, or None when the form does not keep it.
        crypted: The crypt(3) hash, or "" when there is none.
    """

    form: StoredForm
    clear: str | None = field(default=None, repr=False)
    crypted: str = field(default="", repr=False)


def decode_pw_passwd(pw_passwd: str) -> StoredPasswd:
    """Tell what a pw_passwd keeps; every text has exactly one form.

    Source:
        vchkpass.c `main()`; get_scram_secrets.c, cases 1 and 2.

    Deviation:
        vchkpass takes a text without a prefix for a crypt hash only, or with ENABLE_CRAM for a CRAM key as well; the
        clear password that `vpasswd -e` stored in 2010 then works with CRAM and nothing else. Here it works with all.

    Example:
        >>> decode_pw_passwd("{CRAM}pass,$6$salt$hash").clear
        'pass'
    """
    if pw_passwd.startswith(_CRAM_PREFIX):
        body = pw_passwd.removeprefix(_CRAM_PREFIX)
        clear, comma, crypted = body.rpartition(",")
        return StoredPasswd(StoredForm.CRAM, clear if comma else body, crypted if comma else "")
    scram = _SCRAM.fullmatch(pw_passwd)
    if scram is not None:
        keys, crypted = scram.groups(default="")
        _server_key, *rest = keys.split(":", 2)
        return StoredPasswd(StoredForm.SCRAM, rest[1] if len(rest) == 2 else None, crypted)
    if not pw_passwd or pw_passwd[0] in "!*":
        return StoredPasswd(StoredForm.LOCKED)
    if _CRYPT.fullmatch(pw_passwd):
        return StoredPasswd(StoredForm.CRYPT, None, pw_passwd)
    return StoredPasswd(StoredForm.CLEAR, pw_passwd)


def encode_pw_passwd(clear: str, *, crypted: str = "") -> str:
    """Return the ``{CRAM}clear,crypt`` form, with which every mechanism of the kit works.

    Example:
        >>> encode_pw_passwd("pass")
        '{CRAM}pass,'
    """
    return f"{_CRAM_PREFIX}{clear},{crypted}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One user of the table.

    Attributes:
        address: ``name@domain``, in lower case.
        pw_passwd: The stored form.
        is_active: Whether the user is in the table indimail; the inactive ones are in indibak.
        pw_uid: IndiMail's administrator flag.
        pw_gid: Flags, see NO_RELAY and NO_SMTP.
        pw_gecos: Name of the person.
        pw_dir: Home directory of the mailbox.
        pw_shell: Quota, "NOQUOTA" for none.
        scram: SCRAM keys kept beside the password, or "".
    """

    address: str
    pw_passwd: str = field(repr=False)
    is_active: bool = True
    pw_uid: int = 0
    pw_gid: int = 0
    pw_gecos: str = ""
    pw_dir: str = ""
    pw_shell: str = ""
    scram: str = field(default="", repr=False)

    @property
    def passwd(self) -> str | None:
        """Return the clear password, or None when it is not kept."""
        return decode_pw_passwd(self.pw_passwd).clear

    @property
    def can_relay(self) -> bool:
        """Say whether mail to other hosts is taken from this user."""
        return not self.pw_gid & NO_RELAY

    @property
    def can_smtp(self) -> bool:
        """Say whether the user may log in to SMTP."""
        return not self.pw_gid & NO_SMTP

    @property
    def form(self) -> StoredForm:
        """Return how the password is kept; keys in the column scram count when there is no clear password."""
        form = decode_pw_passwd(self.pw_passwd).form
        return StoredForm.SCRAM if self.scram and form is StoredForm.CRYPT else form

    def has_passwd(self, passwd: str) -> bool:
        """Say whether this is the user's password, in the same time whatever is stored.

        As in vchkpass the crypt(3) hash decides where there is one, else the clear password.

        Raises:
            AccountError: The stored hash is none of crypt(3)'s.
            MissingPartError: libpass is missing, or cannot do this kind of hash.
        """
        stored = decode_pw_passwd(self.pw_passwd)
        clear = stored.clear or ""
        is_clear_right = hmac.compare_digest(_octets(clear), _octets(passwd)) and clear != ""
        is_hash_right = crypt3.check_hash(passwd, stored.crypted)
        return is_hash_right if stored.crypted else is_clear_right

    def as_row(self) -> dict[str, object]:
        """Return what may be shown of the account: everything but the secrets."""
        return {
            "address": self.address,
            "is_active": self.is_active,
            "pw_uid": self.pw_uid,
            "pw_gid": self.pw_gid,
            "pw_gecos": self.pw_gecos,
            "pw_dir": self.pw_dir,
            "pw_shell": self.pw_shell,
            "stored_form": self.form.value,
            "can_relay": self.can_relay,
            "can_smtp": self.can_smtp,
        }


NOBODY: Final = Account(address="", pw_passwd="{CRAM}nobody has this password,")  # noqa: S106 - it opens nothing
"""Stands for an unknown user, so that the comparison is made all the same; what it says does not count."""


class Proof(Protocol):
    """What a client sent to prove who it is: the outcome of one mechanism's exchange."""

    @property
    def authcid(self) -> str:
        """Return the user that the client says it is."""

    def matches(self, account: Account) -> bool:
        """Say whether the proof is right for this account.

        Raises:
            AccountError: What is stored cannot be read.
            MissingPartError: Something is missing here that the comparison needs.
        """

    def answer(self, account: Account) -> bytes:
        """Return what proves to the client that the server knows the password too, b"" where there is nothing."""

    def fd3_fields(self) -> tuple[bytes, bytes]:
        """Return the second and third field for a checkpassword module.

        Raises:
            MissingPartError: No module can judge this proof.
        """


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
