"""The dialogue is IndiMail's, on a real socket."""

from __future__ import annotations

import re
import smtplib
from base64 import b64encode
from collections.abc import Callable

import pytest

from indimail_kit.lab import Lab, SmtpdLimits

PLAIN_ANN = b64encode(b"\0ann@example.com\0pass").decode()
"""AUTH PLAIN of the demo user ann."""


def test_greeting_names_host_program_and_date(lab: Lab, connect: Callable) -> None:
    """The form is the recorded one: greeting, (NO UCE), version, date."""
    greeting = connect(lab).greeting
    assert re.fullmatch(
        r"220 mx\.example\.com ESMTP \(NO UCE\) ESMTP IndiMail 1\.334 \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000",
        greeting,
    )


def test_ehlo_offers_what_the_server_can_do(lab: Lab, connect: Callable) -> None:
    """EHLO names the mechanisms first and ends with HELP."""
    client = connect(lab)
    client.send(b"EHLO client.test\r\n")
    lines = client.replies()
    assert lines[0] == "250-mx.example.com ESMTP"
    assert lines[1].startswith("250-AUTH LOGIN PLAIN XOAUTH2 CRAM-MD5")
    assert lines[2:] == ["250-PIPELINING", "250-8BITMIME", "250-SIZE 10485760", "250-ETRN", "250 HELP"]


# Each line and its reply; the replies are those of tests/data/indimail/auth or, where that is silent, of smtpd.c.
SENTENCES = {
    "RCPT before MAIL": ("RCPT TO:<a@b>", "503 MAIL first (#5.5.1)"),
    "DATA before MAIL": ("DATA", "503 MAIL first (#5.5.1)"),
    "unknown command": ("FOO", "502 command FOO not recognized (#5.5.2)"),
    "unknown command with words": ("From: ann", "502 command From: ann not recognized (#5.5.2)"),
    "empty line": ("", "502 command  not recognized (#5.5.2)"),
    "NOOP": ("NOOP", "250 ok"),
    "NOOP with words": ("NOOP x", "501 invalid parameter syntax (#5.3.2)"),
    "RSET": ("RSET", "250 flushed"),
    "RSET with words": ("RSET x", "501 invalid parameter syntax (#5.3.2)"),
    "VRFY": ("VRFY x", "252 Cannot VRFY user, but will accept message and attempt delivery (#2.7.0)"),
    "HELP": ("HELP", "214 HELO EHLO RSET NOOP MAIL RCPT DATA AUTH VRFY ETRN HELP QUIT"),
    "HELO": ("HELO x", "250 mx.example.com ESMTP"),
    "HELO without a name": ("HELO", "250 mx.example.com ESMTP [127.0.0.1]"),
    "MAIL without an address": ("MAIL", "555 syntax error in address (#5.1.3)"),
    "MAIL without its bracket": ("MAIL FROM:<a@b", "250 ok"),
    "lower case": ("mail from:<a@b>", "250 ok"),
    "MAIL with AUTH parameter": ("MAIL FROM:<ann@local.test> AUTH=<>", "250 ok"),
    "MAIL of a mail that is too big": (
        "MAIL FROM:<a@b> SIZE=99999999",
        "552 sorry, that message size exceeds my databytes limit (#5.3.4)",
    ),
    "unknown mechanism": ("AUTH GSSAPI", "504 auth type unimplemented (#5.5.1)"),
    "AUTH without a mechanism": ("AUTH", "504 auth type unimplemented (#5.5.1)"),
    "ETRN": ("ETRN example.com", "251 OK, no messages waiting for node example.com"),
    "ETRN of another domain": ("ETRN elsewhere.example", "459 Node elsewhere.example not allowed: not served here"),
    "ETRN without a domain": ("ETRN", "501 invalid parameter syntax (#5.3.2)"),
    "QUIT": ("QUIT", "221 mx.example.com ESMTP closing connection"),
}


@pytest.mark.parametrize(("line", "reply"), SENTENCES.values(), ids=SENTENCES)
def test_reply_to_one_line(lab: Lab, connect: Callable, line: str, reply: str) -> None:
    """One line, one reply, letter for letter."""
    assert connect(lab).say(line) == reply


def test_bare_lf_ends_a_command_too(lab: Lab, connect: Callable) -> None:
    """Qmail's command reader takes LF without CR, and so does a person's netcat."""
    client = connect(lab)
    client.send(b"NOOP\n")
    assert client.reply() == "250 ok"


def test_auth_in_a_transaction_is_refused(lab: Lab, connect: Callable) -> None:
    """Recorded: AUTH behind MAIL gets 503."""
    client = connect(lab)
    client.say("MAIL FROM:<ann@local.test>")
    assert client.say("AUTH LOGIN") == "503 no auth during mail transaction (#5.5.0)"


def test_second_login_is_refused(lab: Lab, connect: Callable) -> None:
    """One login a session."""
    client = connect(lab)
    assert client.say(f"AUTH PLAIN {PLAIN_ANN}") == "235 ok, go ahead (#2.0.0)"
    assert client.say(f"AUTH PLAIN {PLAIN_ANN}") == "503 you're already authenticated (#5.5.0)"


def test_relay_without_login_is_refused(lab: Lab, connect: Callable) -> None:
    """Recorded: without a login only our own domains are taken."""
    client = connect(lab)
    client.say("MAIL FROM:<ann@example.com>")
    refusal = "553 sorry, that domain isn't allowed to be relayed thru this MTA without authentication #5.7.1"
    assert client.say("RCPT TO:<x@elsewhere.example>") == refusal
    assert client.say("RCPT TO:<bob@example.com>") == "250 ok"


def test_bounce_may_have_one_recipient_only(lab: Lab, connect: Callable) -> None:
    """A mail from nobody with two recipients is no bounce."""
    client = connect(lab)
    client.say("MAIL FROM:<>")
    assert client.say("RCPT TO:<bob@example.com>") == "250 ok"
    refusal = "553 sorry, bounce messages should have a single envelope recipient (#5.7.1)"
    assert client.say("RCPT TO:<ann@example.com>") == refusal


def test_login_required_where_the_rules_say_so(make_lab: Callable, connect: Callable) -> None:
    """Recorded: REQUIREAUTH answers MAIL with 530 until the client has logged in."""
    lab = make_lab()
    lab.set_variable("REQUIREAUTH", "1")
    client = connect(lab)
    assert client.say("MAIL FROM:<ann@example.com>") == "530 authentication required (#5.7.1)"
    client.say(f"AUTH PLAIN {PLAIN_ANN}")
    assert client.say("MAIL FROM:<ann@example.com>") == "250 ok"


def test_denied_client_is_sent_away(make_lab: Callable, connect: Callable) -> None:
    """A deny rule in tcp.smtp ends the session after the greeting."""
    lab = make_lab()
    (lab.directory / "control" / "tcp.smtp").write_text("127.:deny\n")
    client = connect(lab)
    assert client.reply() == "553 sorry, your host has been denied (#5.7.1)"
    assert client.is_hung_up()


@pytest.mark.parametrize("text", ["127.0.0.1 allow\n", '127.:allow,A="x\n', "\0\xff:::\n127.0.0.1:denyX"], ids=repr)
def test_broken_rule_file_is_a_clear_refusal(make_lab: Callable, connect: Callable, text: str) -> None:
    """A rule file that tcprules would refuse is said to the client and to the log; the server goes on."""
    lab = make_lab()
    (lab.directory / "control" / "tcp.smtp").write_text(text)
    client = connect(lab)
    assert client.greeting == "451 Sorry, I'm unable to read controls (#4.3.0)"
    log = (lab.directory / "log" / "smtpd.25" / "current").read_text()
    assert "unable to read controls [" in log
    assert "tcp.smtp" in log


def test_broken_variables_directory_is_a_clear_refusal(make_lab: Callable, connect: Callable) -> None:
    """A directory among the variables is fatal for envdir; here the client hears 451."""
    lab = make_lab()
    (lab.directory / "service" / "qmail-smtpd.25" / "variables" / "SUB").mkdir()
    assert connect(lab).greeting == "451 Sorry, I'm unable to read controls (#4.3.0)"


def deliver(client: object, octets: bytes) -> str:
    """Send a whole transaction and return the reply to DATA's end."""
    client.say("EHLO x")
    client.say("MAIL FROM:<ann@example.com>")
    client.say("RCPT TO:<bob@example.com>")
    assert client.say("DATA") == "354 go ahead"
    client.send(octets)
    return client.reply()


def test_accepted_mail_gets_time_and_qp(lab: Lab, connect: Callable) -> None:
    """``250 ok UNIXTIME qp PID`` after the mail is in the queue."""
    assert re.fullmatch(r"250 ok \d{10} qp \d+", deliver(connect(lab), b"Subject: x\r\n\r\nhi\r\n.\r\n"))


def test_smuggled_command_is_never_executed(lab: Lab, connect: Callable) -> None:
    """A LF . LF in a mail ends the session; the MAIL behind it is not answered."""
    client = connect(lab)
    reply = deliver(client, b"hi\n.\nMAIL FROM:<evil@example.com>\r\n.\r\n")
    assert reply == "451 Sorry, I received Bare LF. (#4.6.0)"
    assert client.is_hung_up()


def test_nul_in_a_mail_is_refused_and_the_session_goes_on(lab: Lab, connect: Callable) -> None:
    """The refusal is for the mail, not for the client."""
    client = connect(lab)
    assert deliver(client, b"a\0b\r\n.\r\n") == "554 sorry, NUL octets are not accepted here (#5.6.0)"
    assert client.say("NOOP") == "250 ok"


def test_looping_mail_is_refused(lab: Lab, connect: Callable) -> None:
    """A hundred Received lines are a loop."""
    mail = b"Received: x\r\n" * 100 + b"\r\n.\r\n"
    assert deliver(connect(lab), mail) == "554 too many hops, this message is looping (#5.4.6)"


def test_pipelined_commands_are_answered_in_order(lab: Lab, connect: Callable) -> None:
    """Everything in one packet, the mail and QUIT included."""
    client = connect(lab)
    transaction = b"MAIL FROM:<ann@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n"
    client.send(transaction + b"Subject: x\r\n\r\nhi\r\n.\r\nNOOP\r\nQUIT\r\n")
    codes = [client.reply()[:3] for _ in range(6)]
    assert codes == ["250", "250", "354", "250", "250", "221"]


def test_client_that_closes_its_sending_side_is_still_answered(lab: Lab, connect: Callable) -> None:
    """``printf … | nc`` gets its replies although it has nothing more to say."""
    import socket

    client = connect(lab)
    client.send(b"NOOP\r\nQUIT\r\n")
    client.connection.shutdown(socket.SHUT_WR)
    assert [client.reply(), client.reply()[:3]] == ["250 ok", "221"]


def test_command_longer_than_the_limit_ends_the_session(
    make_lab: Callable, connect: Callable, small_limits: SmtpdLimits
) -> None:
    """IndiMail's own words, then the connection is closed."""
    client = connect(make_lab(limits=small_limits))
    assert client.say("NOOP" + " " * 300) == "553 sorry, the given command is too long! (#5.5.2)"
    assert client.is_hung_up()


def test_command_without_end_does_not_fill_the_memory(
    make_lab: Callable, connect: Callable, small_limits: SmtpdLimits
) -> None:
    """A client that never sends a line end is stopped at the limit."""
    client = connect(make_lab(limits=small_limits))
    client.send(b"x" * 100_000)
    assert client.reply() == "553 sorry, the given command is too long! (#5.5.2)"


def test_too_many_recipients(make_lab: Callable, connect: Callable, small_limits: SmtpdLimits) -> None:
    """One more than the limit gets 557; the others stay."""
    client = connect(make_lab(limits=small_limits))
    client.say("MAIL FROM:<ann@example.com>")
    replies = [client.say(f"RCPT TO:<{user}@example.com>") for user in ("bob", "carol", "ann")]
    assert replies == ["250 ok", "250 ok", "557 sorry, too many recipients (#5.7.1)"]


def test_too_big_mail_is_refused_and_nothing_is_queued(
    make_lab: Callable, connect: Callable, small_limits: SmtpdLimits
) -> None:
    """The mail is read to its end and refused; the queue stays empty."""
    lab = make_lab(limits=small_limits)
    client = connect(lab)
    reply = deliver(client, b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 100 + b".\r\n")
    assert reply == "552 sorry, that message size exceeds my databytes limit (#5.3.4)"
    assert client.say("NOOP") == "250 ok"
    assert not list(lab.queue_base.glob("queue*/mess/*/*"))


def test_failed_logins_are_counted(make_lab: Callable, connect: Callable, small_limits: SmtpdLimits) -> None:
    """After the last try the session ends."""
    client = connect(make_lab(limits=small_limits))
    wrong = b64encode(b"\0ann@example.com\0wrong").decode()
    assert client.say(f"AUTH PLAIN {wrong}") == "535 authorization failure (#5.7.8)"
    assert client.say(f"AUTH PLAIN {wrong}") == "535 authorization failure (#5.7.8)"
    assert client.reply() == "421 sorry, too many failed logins (#4.7.0)"
    assert client.is_hung_up()


def test_too_many_connections(make_lab: Callable, connect: Callable, small_limits: SmtpdLimits) -> None:
    """One session too many is told to come back; a place that gets free is given again."""
    lab = make_lab(limits=small_limits)
    first, _second = connect(lab), connect(lab)
    assert connect(lab).greeting == "421 sorry, too many connections, try again later (#4.3.2)"
    first.say("QUIT")
    assert first.is_hung_up()
    assert connect(lab).greeting.startswith("220 ")


def test_silent_client_is_sent_away(make_lab: Callable, connect: Callable, small_limits: SmtpdLimits) -> None:
    """Silence longer than the limit ends the session with IndiMail's words."""
    client = connect(make_lab(limits=small_limits))
    assert client.reply() == "451 Sorry, I reached a timeout reading from client (#4.4.2)"
    assert client.is_hung_up()


def test_login_is_the_same_for_unknown_user_and_wrong_password(lab: Lab) -> None:
    """A listener cannot find out who lives here."""
    replies = set()
    for user in ("ann@example.com", "nobody@example.com"):
        with smtplib.SMTP(lab.host, lab.port) as client, pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            client.login(user, "wrong")
        replies.add((refused.value.smtp_code, refused.value.smtp_error))
    assert replies == {(535, b"authorization failure (#5.7.8)")}


def test_challenge_is_fresh_each_time(lab: Lab, connect: Callable) -> None:
    """Two CRAM-MD5 challenges are never the same, so a recorded answer is worth nothing."""
    assert connect(lab).say("AUTH CRAM-MD5") != connect(lab).say("AUTH CRAM-MD5")


def test_seeds_cram_md5_exchange_byte_for_byte(make_lab: Callable, connect: Callable) -> None:
    """The seed text's challenge, given to the lab, takes the seed text's response."""
    client = connect(make_lab(challenge=b"<20137.1267585100@indimail.org>"))
    assert client.say("auth cram-md5") == "334 PDIwMTM3LjEyNjc1ODUxMDBAaW5kaW1haWwub3JnPg=="
    response = "cG9zdG1hc3RlckBleGFtcGxlLmNvbSBjZWU4Mzk3YWIxMjNhMGQ0ZjNhN2ZkZGJiOWNiODcxOQ=="
    assert client.say(response) == "235 ok, go ahead (#2.0.0)"
