"""qmail-remote against a real SMTP server on loopback, and what qmail-rspawn makes of its report."""

from __future__ import annotations

import gzip
import re
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from indimail_kit.delivery.events import Delivery, Report
from indimail_kit.delivery.remote import RemoteDelivery, loopback_address, read_report
from indimail_kit.delivery.smtp_client import RemoteReport
from indimail_kit.delivery.smtproutes import Relay, SmtpRoutes
from indimail_kit.lab.second_host import SecondHost, Stage
from indimail_kit.mailqueue.tcpto import IPV6, TimeoutRecord, decode

if TYPE_CHECKING:
    from tests.delivery.conftest import Clock, House

LOGS = Path(__file__).parent.parent / "data" / "indimail" / "logs"
DELIVERED = Path(__file__).parent.parent / "data" / "indimail" / "qhpsi" / "delivered"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SecondHost]:
    """Run a second host."""
    second = SecondHost(tmp_path / "second" / "Maildir")
    second.start()
    yield second
    second.stop()


@pytest.fixture
def send(host: SecondHost, house: House, delivery: Callable[..., Delivery]) -> Callable[..., Report]:
    """Return a function that delivers a message to far@example.org over there."""

    def deliver(*, message: bytes | None = None, timeout_s: float = 5.0, **changes: Any) -> Report:
        base = delivery(channel="remote", recipient=b"far@example.org", queue_directory=house.layout.directory)
        one = replace(base, **changes)
        if message is not None:
            one.mess_path.write_bytes(message)
        routes = SmtpRoutes({"example.org": Relay(*host.address)})
        remote = RemoteDelivery(
            routes=routes, helo_host="mx.example.com", timeout_s=timeout_s, connect_timeout_s=0.2, clock=house.clock,
            spread=0,
        )  # fmt: skip
        return remote(one)

    return deliver


def timeouts(house: House) -> tuple[TimeoutRecord, ...]:
    """Return the queue's table."""
    return decode((house.layout.directory / "lock" / "tcpto").read_bytes())


def logged(report: Report) -> bytes:
    """Return a report as the log has it."""
    return report.text.replace(b" ", b"_").replace(b"\n", b"/")


# -- success -----------------------------------------------------------------------------------------------------


def test_mail_arrives_octet_for_octet(send: Callable[..., Report], host: SecondHost) -> None:
    """Leading dots, bare CR, NUL and 8 bits: the second host has what lay in the queue, with CR LF for LF."""
    message = b"Subject: all\n\n.\n..dots\r\nbare\rcr\n\0\xff\xfe\n" + b"x" * 70_000 + b"\n.\n"
    report = send(message=message)

    assert report.outcome == "success"
    assert host.mails[0].octets == message.replace(b"\n", b"\r\n")


def test_success_is_reported_as_the_recorded_ones(send: Callable[..., Report]) -> None:
    """Each of the 642 recorded successes has this form."""
    form = rb"From:_<[^>]*>_RCPT:_<[^>]+>_127\.0\.0\.1_accepted_message_-_Protocol_SMTP\./Remote_host_said:_250_[^/]+/"
    log = gzip.decompress((LOGS / "send-for-smtpd.tai64n.log.gz").read_bytes())
    recorded = re.findall(rb"delivery [\d.]+: success: (From\S+)", log)

    assert recorded
    assert [report for report in recorded if not re.fullmatch(form, report)] == []
    assert re.fullmatch(form, logged(send()))


def test_lines_of_the_e_record_come_first(send: Callable[..., Report], host: SecondHost) -> None:
    """As in the recorded remote delivery: X-QHPSI and QQEH above Received."""
    recorded = (DELIVERED / "remote-1.eml").read_bytes().removeprefix(b"X-Sink-Rcpt: far1@remote.test\n")
    header = b"X-QHPSI: clean\nX-From-QQEH: yes\n"
    message = recorded[recorded.index(b"Received: ") :].removesuffix(b".\r\n").replace(b"\r\n", b"\n")
    send(message=message, header=header)

    assert host.mails[0].octets + b".\r\n" == recorded


def test_bounce_goes_out_with_the_null_sender(send: Callable[..., Report], host: SecondHost) -> None:
    """The other host sees <>."""
    assert send(sender=b"").text.startswith(b"From: <> RCPT: <far@example.org> 127.0.0.1 accepted message")
    assert host.mails[0].sender == ""


def test_empty_message_can_be_sent(send: Callable[..., Report], host: SecondHost) -> None:
    """No line is no partial line."""
    assert send(message=b"").outcome == "success"
    assert host.mails[0].octets == b""


# -- refusals ----------------------------------------------------------------------------------------------------


def recorded_reports(outcome: str, words: str) -> set[bytes]:
    """Return the reports of the recorded logs that have these words, each address as example ones."""
    found: set[bytes] = set()
    for name in ("send-single-queue1", "qscheduler-static-3queues", "send-for-smtpd"):
        log = gzip.decompress((LOGS / f"{name}.tai64n.log.gz").read_bytes())
        found |= {
            re.sub(rb"<[^>]*>_RCPT:_<[^>]+>", b"<ann@example.com>_RCPT:_<far@example.org>", report)
            for report in re.findall(rb"delivery [\d.]+: %b: (\S+)" % outcome.encode(), log)
            if words.encode() in report
        }
    return {report for report in found if b"too_long" not in report}


@pytest.mark.parametrize(
    ("stage", "reply", "outcome", "words"),
    [
        ("rcpt", "451 4.7.1 greylisted, try again later", "deferral", "greylisted"),
        ("rcpt", "550 5.1.1 sorry, no mailbox here by that name", "failure", "does_not_like_recipient"),
        ("message", "450 4.3.2 try later", "deferral", "try_later"),
        ("message", "554 5.7.1 message content rejected", "failure", "content_rejected"),
    ],
    ids=["RCPT 451", "RCPT 550", "message 450", "message 554"],
)
def test_refusal_is_reported_letter_for_letter(
    send: Callable[..., Report], host: SecondHost, stage: Stage, reply: str, outcome: str, words: str
) -> None:
    """The second host says what the recorded one said; the report is the recorded one."""
    host.say(reply, stage=stage)
    report = send()

    assert {logged(report)} == recorded_reports(outcome, words)
    assert report.outcome == outcome
    assert host.mails == []


def test_no_connection_is_reported_letter_for_letter(send: Callable[..., Report], host: SecondHost) -> None:
    """Nobody listens: the recorded report, but for the port."""
    host.refuse_connections()
    port = str(host.address[1]).encode()
    recorded = {re.sub(rb"port_\d+", b"port_" + port, r) for r in recorded_reports("deferral", "establish")}

    assert {logged(send())} == recorded


def test_reply_of_several_lines_is_reported_whole(send: Callable[..., Report], host: SecondHost) -> None:
    """A hostile host's words stay words: control characters are for the log to clean."""
    host.say("550 \x1b[31mred\x07")
    assert send().text.endswith(b"Remote host said: 550 \x1b[31mred\x07\nGiving up on 127.0.0.1.\n")


def test_unfinished_last_line_is_a_failure_before_anybody_is_asked(
    send: Callable[..., Report], host: SecondHost
) -> None:
    """SMTP has no way to say it; the host is not bothered."""
    report = send(message=b"Subject: x\n\nno end")

    assert report == Report("failure", b"SMTP cannot transfer messages with partial final lines. (#5.6.2)\n")
    assert host.sessions == []


@pytest.mark.parametrize("damage", ["missing", "link"])
def test_unreadable_message_is_deferred(send: Callable[..., Report], house: House, damage: str) -> None:
    """It stays in the queue; a symbolic link is not followed."""
    path = house.directory / "message"
    path.unlink()
    deeds: dict[str, Callable[[], object]] = {"missing": bool, "link": lambda: path.symlink_to("/etc/hostname")}
    deeds[damage]()

    assert send() == Report("deferral", b"Unable to read message. (#4.3.0)\n")


# -- death and silence -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "remark"),
    [("greeting", "Will try alternate MX. tcpto interval 120 "), ("rcpt", ""), ("message", "Possible duplicate! ")],
)
@pytest.mark.parametrize("deed", ["hang_up", "fall_silent"])
def test_death_and_silence_are_deferrals(
    send: Callable[..., Report], host: SecondHost, stage: Stage, remark: str, deed: str
) -> None:
    """Whether the host goes or stays and says nothing, the report is the same."""
    getattr(host, deed)(stage=stage)
    report = send(timeout_s=0.2)

    assert report.outcome == "deferral"
    assert report.text.endswith(f"Connected to 127.0.0.1 but connection died. {remark}(#4.4.2)\n".encode())


def test_two_timeouts_make_the_host_rest(
    send: Callable[..., Report], host: SecondHost, house: House, clock: Clock
) -> None:
    """A real connection that times out, twice, two minutes apart: then nobody knocks for an hour and four minutes."""
    host.ignore_connections()
    first = send()
    clock.advance(120)
    second = send()
    assert timeouts(house) == (TimeoutRecord(0, "127.0.0.1", 2, clock.now_s),)

    host.behave()
    clock.advance(3839)
    resting = send()
    clock.advance(1)
    awake = send()

    sorry = b"Sorry, I wasn't able to establish a SMTP connection for 127.0.0.1"
    tried = b" to 127.0.0.1 port %d bind IP [::]. (#4.4.1)\n" % host.address[1]
    assert first == second == Report("deferral", sorry + tried)
    assert resting == Report("deferral", sorry + b". (#4.4.1)\n")
    assert awake.outcome == "success"
    assert len(host.sessions) == 1
    assert timeouts(house) == (TimeoutRecord(0, "127.0.0.1", 0, clock.now_s - 3840),)


@pytest.mark.parametrize("trouble", ["refused", "no greeting", "busy"])
def test_host_that_does_not_greet_is_remembered(
    send: Callable[..., Report], host: SecondHost, house: House, clock: Clock, trouble: str
) -> None:
    """IndiMail counts more than timeouts: mixed-queue2's record comes from a refused connection."""
    deeds: dict[str, Callable[[], None]] = {
        "refused": host.refuse_connections,
        "no greeting": lambda: host.hang_up(stage="greeting"),
        "busy": lambda: host.say("421 4.3.2 busy", stage="greeting"),
    }
    deeds[trouble]()
    assert send().outcome == "deferral"

    assert timeouts(house) == (TimeoutRecord(0, "127.0.0.1", 1, clock.now_s),)


def test_host_that_refuses_politely_is_not_held_to_blame(
    send: Callable[..., Report], host: SecondHost, house: House
) -> None:
    """It answered."""
    host.say("450 later")
    send()

    assert timeouts(house) == ()


def test_delivery_without_a_queue_keeps_no_table(send: Callable[..., Report], host: SecondHost, house: House) -> None:
    """Whoever holds no queue must not open its lock/."""
    host.refuse_connections()
    send(queue_directory=None)

    assert timeouts(house) == ()


def test_abort_hangs_up_on_a_silent_host(host: SecondHost, delivery: Callable[..., Delivery]) -> None:
    """Twenty minutes are not waited for; the mail is deferred, and may have been taken."""
    host.fall_silent(stage="message")
    remote = RemoteDelivery(routes=SmtpRoutes({"": Relay(*host.address)}))
    with ThreadPoolExecutor(1) as beside:
        under_way = beside.submit(remote, delivery(recipient=b"far@example.org"))
        assert host.wait_for_silence(10)
        remote.abort()
        report = under_way.result(10)

    assert report.outcome == "deferral"
    assert report.text.endswith(b"Connected to 127.0.0.1 but connection died. Possible duplicate! (#4.4.2)\n")


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_ipv6_loopback_is_a_host_as_well(delivery: Callable[..., Delivery], house: House, clock: Clock) -> None:
    """The report and the table of timeouts name ::1."""
    with socket.socket(socket.AF_INET6) as keeper:
        keeper.bind(("::1", 0))  # the port is ours, and nobody listens
        port = keeper.getsockname()[1]
        remote = RemoteDelivery(routes=SmtpRoutes({"": Relay("::1", port)}), clock=clock)
        report = remote(delivery(recipient=b"far@example.org", queue_directory=house.layout.directory))

    assert report.text.endswith(b"connection for ::1 to ::1 port %d bind IP [::]. (#4.4.1)\n" % port)
    assert timeouts(house) == (TimeoutRecord(0, "::1", 1, clock.now_s, IPV6),)


# -- where mail goes ---------------------------------------------------------------------------------------------


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Note every attempt to connect; there shall be none."""
    seen: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _self, address: seen.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments: seen.append(arguments))
    return seen


@pytest.mark.parametrize(
    "host_name",
    ["192.0.2.1", "2001:db8::1", "localhost", "mx.example.org", "0.0.0.1", "::", "::ffff:127.0.0.1", "127.1", "::1%lo"],
)
def test_mail_never_leaves_loopback(
    delivery: Callable[..., Delivery], no_sockets: list[object], host_name: str
) -> None:
    """Another address, and every name, is deferred with a reason; nothing is connected, nothing looked up."""
    report = RemoteDelivery(routes=SmtpRoutes({"": Relay(host_name)}))(delivery(recipient=b"far@example.org"))

    assert report.outcome == "deferral"
    assert report.text.startswith(b"Sorry, mail leaves here for loopback addresses only, and ")
    assert no_sockets == []


def test_domain_without_a_route_has_no_host(delivery: Callable[..., Delivery], no_sockets: list[object]) -> None:
    """There is no DNS here, and the real one says the same when it has none."""
    report = RemoteDelivery(routes=SmtpRoutes())(delivery(recipient=b"far@example.org"))

    assert report == Report("deferral", b"CNAME lookup failed temporarily. (#4.4.3)\n")
    assert no_sockets == []


@pytest.mark.parametrize(
    ("host_name", "address"),
    [("127.0.0.1", "127.0.0.1"), ("127.255.0.9", "127.255.0.9"), ("::1", "::1"), ("0:0:0:0:0:0:0:1", "::1")],
)
def test_loopback_addresses_are_known(host_name: str, address: str) -> None:
    """127.0.0.0/8 and ::1."""
    assert loopback_address(host_name) == address


def test_routes_in_a_file_are_read_for_each_delivery(
    host: SecondHost, delivery: Callable[..., Delivery], tmp_path: Path
) -> None:
    """As qmail-remote reads control/smtproutes; a broken or missing file defers."""
    path = tmp_path / "smtproutes"
    remote = RemoteDelivery(routes=path)
    one = delivery(recipient=b"far@example.org")
    missing = remote(one)
    path.write_text(f"example.org:127.0.0.1:{host.address[1]}\n")
    good = remote(one)
    path.write_text("example.org\n")
    broken = remote(one)

    assert (missing.text, good.outcome) == (b"CNAME lookup failed temporarily. (#4.4.3)\n", "success")
    assert broken == Report("deferral", b"Unable to read control file. (#4.3.0)\n")


# -- qmail-rspawn ------------------------------------------------------------------------------------------------

REPORTS = RemoteReport((("r", b"r. "), ("s", b"s. "), ("h", b"h. ")), "K", b"K.\n")


@pytest.mark.parametrize(
    ("letter", "number", "outcome", "text"),
    [
        ("K", 0, "success", b"r. K.\n"),
        ("K", 1, "deferral", b"s. "),
        ("K", 2, "failure", b"h. "),
        ("Z", 0, "deferral", b"r. K.\n"),
        ("Z", 1, "deferral", b"s. K.\n"),
        ("Z", 2, "failure", b"h. "),
        ("D", 0, "failure", b"r. K.\n"),
        ("D", 1, "deferral", b"s. K.\n"),
        ("D", 2, "failure", b"h. K.\n"),
        ("Z", 3, "deferral", b"K.\n"),
    ],
)  # fmt: skip
def test_letters_of_session_and_recipient_are_put_together(letter: str, number: int, outcome: str, text: bytes) -> None:
    """The worse one counts for an accepted recipient; a refused one keeps its own letter."""
    report = read_report(replace(REPORTS, letter=letter), number)
    assert report == Report(outcome, text)  # type: ignore[arg-type]  # a parameter's type is str
