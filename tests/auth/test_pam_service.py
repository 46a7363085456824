"""PAM: a service file of the test's own says yes, no, or asks the test's own program for the password."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indimail_kit.auth.authority import Judgement
from indimail_kit.auth.cram import CramProof, CramResponse
from indimail_kit.auth.login import LoginMessages
from indimail_kit.auth.pam_service import PamAuthority
from indimail_kit.auth.plain import PlainMessage
from indimail_kit.errors import AccountError, MissingPartError

PAM_D = Path("/etc/pam.d")
needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not PAM_D.is_dir(), reason="only root can write a service file to /etc/pam.d"
)
Service = Callable[[str], str]


@pytest.fixture
def service() -> Iterator[Service]:
    """Return a maker of service files, which are removed afterwards."""
    paths: list[Path] = []

    def make(text: str) -> str:
        path = PAM_D / f"indimail-kit-test-{secrets.token_hex(8)}"
        path.write_text(text)
        paths.append(path)
        return path.name

    yield make
    for path in paths:
        path.unlink()


def judge(name: str, passwd: str = "x") -> Judgement:  # noqa: S107 - any will do
    """Return PAM's judgement."""
    return PamAuthority(name).judge(PlainMessage(authcid="nobody", passwd=passwd))


@needs_root
@pytest.mark.parametrize(("module", "ok"), [("pam_permit.so", True), ("pam_deny.so", False)])
def test_service_decides(service: Service, module: str, *, ok: bool) -> None:
    """A service that permits lets in, one that denies does not."""
    judgement = judge(service(f"auth required {module}\naccount required pam_permit.so\n"))
    assert (judgement.ok, judgement.can_relay) == (ok, ok)


@needs_root
def test_account_is_asked_too(service: Service) -> None:
    """A right password of an account that is shut is a no."""
    assert not judge(service("auth required pam_permit.so\naccount required pam_deny.so\n")).ok


@needs_root
@pytest.mark.parametrize(("passwd", "ok"), [("pässwörd", True), ("wrong", False), ("", False)])
def test_password_reaches_the_service(service: Service, tmp_path: Path, passwd: str, *, ok: bool) -> None:
    """pam_exec hands the password to the test's own program, which knows one."""
    program = tmp_path / "knows"
    program.write_text('#!/bin/sh\nread -r given\n[ "$given" = "pässwörd" ] && [ "$PAM_USER" = "nobody" ]\n')
    program.chmod(0o755)
    name = service(
        f"auth [success=1 default=ignore] pam_exec.so expose_authtok quiet {program}\n"
        "auth requisite pam_deny.so\nauth required pam_permit.so\naccount required pam_permit.so\n"
    )
    assert judge(name, passwd).ok is ok
    assert PamAuthority(name).judge(LoginMessages(authcid="nobody", passwd=passwd)).ok is ok


@needs_root
def test_service_that_fails_is_temporary(service: Service) -> None:
    """A module that is not there is no "no": AccountError, 111."""
    with pytest.raises(AccountError, match="could not find out"):
        judge(service("auth required pam_no_such_module.so\naccount required pam_permit.so\n"))


@pytest.mark.parametrize("name", ["", "../shadow", "a/b", "a b", "-x", "x" * 65, "a\0b"])
def test_name_that_is_a_path_is_refused(name: str) -> None:
    """A service is a file name, never a path."""
    with pytest.raises(AccountError, match="name"):
        PamAuthority(name)


def test_digest_is_nothing_for_pam() -> None:
    """PAM needs the password; CRAM is refused without asking, and there are no keys."""
    proof = CramProof(response=CramResponse(authcid="tim", digest="x"), challenge=b"<1.1@h>", hash_name="md5")
    authority = PamAuthority("none")
    assert (authority.judge(proof).reason, authority.find("tim")) == ("a mechanism that PAM cannot check", None)


def test_nul_is_wrong_without_asking() -> None:
    """A password with NUL would be cut off on its way."""
    assert judge("none", "a\0b").reason == "a wrong password"


def test_missing_binding_is_named_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without python-pam MissingPartError says how to install it."""
    monkeypatch.setitem(sys.modules, "pam", None)
    with pytest.raises(MissingPartError, match="pip install"):
        judge("none")
