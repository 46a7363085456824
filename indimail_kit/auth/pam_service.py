"""PAM as the one who decides: the host's own users, or whatever a service's file in pam.d says.

Source: pam(8), pam_authenticate(3), pam_acct_mgmt(3); IndiMail pam-checkpwd(8).

Note for maintainers: PAM is asked for a password, so it serves LOGIN and PLAIN only. python-pam is the binding; why
this one: docs/decisions/0005-auth-libraries.md. Most services read /etc/shadow and need root.

Rule 1: python-pam is imported when PAM is asked, never with this module.
Rule 2: an answer of PAM that does not say "wrong" is temporary, never "right".
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any, Final

from indimail_kit.auth.authority import WRONG_PASSWD, Judgement
from indimail_kit.auth.login import LoginMessages
from indimail_kit.auth.plain import PlainMessage
from indimail_kit.auth.stored import Account, Proof
from indimail_kit.errors import AccountError, MissingPartError

_SERVICE: Final = re.compile(r"[A-Za-z0-9][-_.A-Za-z0-9]{0,63}")

WRONG_CODES: Final = {
    6: "PAM_PERM_DENIED",
    7: "PAM_AUTH_ERR",
    8: "PAM_CRED_INSUFFICIENT",
    10: "PAM_USER_UNKNOWN",
    11: "PAM_MAXTRIES",
    12: "PAM_NEW_AUTHTOK_REQD",
    13: "PAM_ACCT_EXPIRED",
    16: "PAM_CRED_EXPIRED",
    27: "PAM_AUTHTOK_EXPIRED",
}
"""Return values that mean "no" (unit: 1). Source: Linux-PAM _pam_types.h; every other one is temporary."""


class PamAuthority:
    """An authority that asks PAM.

    Args:
        service: Name of a file in pam.d.

    Raises:
        AccountError: The name cannot be a service's.
    """

    def __init__(self, service: str) -> None:
        if not _SERVICE.fullmatch(service):
            raise AccountError("a PAM service whose name is not letters, digits, '-', '_' and '.'")
        self._service = service

    def find(self, _authcid: str) -> Account | None:
        """Return None: PAM gives no keys."""
        return None

    def judge(self, proof: Proof) -> Judgement:
        """Ask PAM for the password and the account.

        Raises:
            AccountError: PAM could not find out.
            MissingPartError: python-pam or libpam is not installed.
        """
        if not isinstance(proof, (PlainMessage, LoginMessages)):
            return Judgement(proof.authcid, "a mechanism that PAM cannot check")
        user, passwd = (text.encode("utf-8", "surrogateescape") for text in (proof.authcid, proof.passwd))
        if b"\0" in user + passwd:
            return Judgement(proof.authcid, WRONG_PASSWD)
        asked = _authenticator()
        if asked.authenticate(user, passwd, service=self._service, resetcreds=False):
            return Judgement(proof.authcid, can_relay=True)
        if asked.code in WRONG_CODES:
            return Judgement(proof.authcid, WRONG_PASSWD)
        raise AccountError(f"PAM could not find out (return value {asked.code})")


def _authenticator() -> Any:
    """Return a fresh PamAuthenticator."""
    try:
        return import_module("pam").PamAuthenticator()
    except (ImportError, AttributeError, OSError):
        raise MissingPartError(
            "python-pam or libpam", "Install it with: pip install 'indimail-kit[pam]' (and Debian's libpam0g)."
        ) from None
