"""The lines of qmail-smtpd and tcpserver."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from indimail_kit.logs.grammar import format_line, parse_line

SMTPD = b"qmail-smtpd: pid 5301 from 192.0.2.7"


def test_an_accepted_message_gives_its_fields() -> None:
    """One line for each recipient, in the form of smtpd.c log_trans()."""
    event = parse_line(
        SMTPD + b"  HELO <mx.example.com> MAIL from <ann@example.com> RCPT <bob@example.com>"
        b" AUTH <ann@example.com: AUTH CRAM-MD5: local-rcpt> Size: 338 TLS=TLSv1.3"
    )
    assert event.kind == "smtpd_accepted"
    assert (event.sender, event.recipient, event.message_bytes) == (b"ann@example.com", b"bob@example.com", 338)
    assert (event.pid, event.remote_ip, event.octets("tls")) == (5301, "192.0.2.7", b"TLSv1.3")


def test_a_virus_is_a_refusal_with_its_reply() -> None:
    """The form of the facts, section 4, for exit code 33."""
    line = format_line(
        "smtpd_refused",
        pid=5301,
        remote_ip="127.0.0.1",
        reply_text="qq message contains virus (#5.7.1)",
        permanence="permanent",
        helo="[127.0.0.1]",
        smtp_sender="ann@example.com",
        smtp_recipient="bob@example.com",
        auth="local-rcpt",
        message_bytes=555,
        tls="No",
        qp=5303,
    )
    assert line == (
        b"qmail-smtpd: pid 5301 from 127.0.0.1 qq message contains virus (#5.7.1) (permanent): HELO <[127.0.0.1]>"
        b" MAIL from <ann@example.com> RCPT <bob@example.com> AUTH <local-rcpt> Size: 555 TLS=No qp 5303"
    )
    assert parse_line(line).octets("reply_text") == b"qq message contains virus (#5.7.1)"


@pytest.mark.parametrize(
    ("user", "status"),
    [(b"test@local.test", 1), (b"", -1), (b"x] status=[0] AUTH Unknown  TLS=No auth success", 1), (b"a]b[c", 2)],
    ids=["wrong password", "no user", "forged status", "brackets"],
)
def test_an_auth_failure_cannot_hide_behind_a_user_name(user: bytes, status: int) -> None:
    """A user name of any octets stays a user name, so that password guessing stands out."""
    event = parse_line(SMTPD + b"  AUTH USER [" + user + b"] status=[%d] AUTH Unknown  TLS=No auth failure" % status)
    assert (event.kind, event.octets("auth_user"), event.number("auth_status")) == ("smtpd_auth_failure", user, status)


def test_a_helo_cannot_forge_an_envelope() -> None:
    """HELO may hold anything but a line end; the envelope behind it is the true one."""
    event = parse_line(
        SMTPD + b"  HELO <x> MAIL from <forged@x> RCPT <forged@x> AUTH <local-rcpt> Size: 1 TLS=No>"
        b" MAIL from <true@x> RCPT <true@y> AUTH <local-rcpt> Size: 2 TLS=No"
    )
    assert (event.kind, event.sender, event.recipient, event.message_bytes) == (
        "smtpd_accepted",
        b"true@x",
        b"true@y",
        2,
    )


@pytest.mark.parametrize(
    ("tail", "kind"),
    [
        (b" Non-existing DNS_MX: MAIL FROM:<a@b", "smtpd_bad_domain"),
        (b" Non-existing DNS_MX: HELO nowhere.test", "smtpd_bad_domain"),
        (b" Invalid RELAY client: MAIL from <a@b> RCPT <c@d>, Auth <e@f>", "smtpd_relay_denied"),
        (b" Invalid RECIPIENT address: MAIL from <a@b> RCPT c@d", "smtpd_invalid"),
        (b" data size exceeded: MAIL from <a@b> RCPT <c@d> Size: 9", "smtpd_too_big"),
        (b" virus/banned content: EXE: MAIL from <a@b> RCPT <c@d> Size: 9", "smtpd_banned"),
        (b" read error: client dropped connection: ", "smtpd_read_error"),
        (b" read error", "smtpd_read_error"),
        (b" ssl-version=TLSv1.3", "smtpd_tls"),
        (b" out of memory", "smtpd_note"),
        (b"", "smtpd_note"),
        (b": plugin.so: cannot open", "smtpd_note"),
        (b"  AUTH Unknown status=[-2] TLS=No auth failure", "smtpd_auth_failure"),
        (b"  AUTH USER [] status=[1] AUTH SCRAM-SHA-256 TLS=No auth failure", "smtpd_auth_failure"),
    ],
)
def test_what_qmail_smtpd_says_is_recognised(tail: bytes, kind: str) -> None:
    """Forms of smtpd.c and of the recorded logs."""
    event = parse_line(SMTPD + tail)
    assert (event.kind, event.program, event.pid, event.remote_ip) == (kind, "qmail-smtpd", 5301, "192.0.2.7")


@pytest.mark.parametrize("address", [b"::1", b"::ffff:127.0.0.1", b"2001:db8::1", b"unknown"])
def test_a_client_may_have_an_ipv6_address(address: bytes) -> None:
    """A colon in the address does not end it."""
    event = parse_line(b"qmail-smtpd: pid 1 from " + address + b": cannot open plugin")
    assert (event.remote_ip, event.octets("remark")) == (address.decode(), b"cannot open plugin")


@pytest.mark.parametrize(
    ("line", "kind", "pid", "remote_ip"),
    [
        (b"tcpserver: status: 0/30 startup, pid=3460, TLS=disabled, use sql=NO", "tcpserver_start", 3460, None),
        (b"tcpserver: pid 4434 from 127.0.0.1", "tcpserver_pid", 4434, "127.0.0.1"),
        (
            b"tcpserver: ok 4434 mx1.indikit.test[127.0.0.1]2531 [127.0.0.1]:55783:maxperip=20",
            "tcpserver_ok",
            4434,
            "127.0.0.1",
        ),
        (b"tcpserver: ok 4434 0:127.0.0.1:25 :192.0.2.7::5555", "tcpserver_ok", 4434, None),
        (b"tcpserver: deny 12 0:127.0.0.1:25 :192.0.2.7::5555", "tcpserver_deny", 12, None),
        (b"tcpserver: status: 1/30 un-encrypted session, pid=44, IP 127.0.0.1", "tcpserver_session", 44, "127.0.0.1"),
        (b"tcpserver: status: 0/30 sigchild, pid=4434", "tcpserver_sigchild", 4434, None),
        (b"tcpserver: status: 0/40", "tcpserver_status", None, None),
        (b"tcpserver: end 3625 status 256", "tcpserver_end", 3625, None),
        (b"tcpserver: warning: dropping connection", "tcpserver_note", None, None),
    ],
)  # fmt: skip
def test_what_tcpserver_says_is_recognised(line: bytes, kind: str, pid: int | None, remote_ip: str | None) -> None:
    """IndiMail's wording and plain ucspi-tcp's."""
    event = parse_line(line)
    assert (event.kind, event.program, event.pid, event.remote_ip) == (kind, "tcpserver", pid, remote_ip)


def test_no_smtp_line_belongs_to_a_run_of_qmail_send(events_of: Callable[..., list[object]]) -> None:
    """Runs are qmail-send's."""
    assert [getattr(event, "run", 0) for event in events_of(SMTPD + b" out of memory")] == [None]
