"""A log that can be shared: nothing of who and where is left, and it tells the same of the mail."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indimail_kit.errors import FormatError
from indimail_kit.lab.demo_logs import make_logs
from indimail_kit.logs.engine import read_events
from indimail_kit.logs.event import Event
from indimail_kit.logs.fields import FIELDS
from indimail_kit.logs.grammar import FORMS, format_line, parse_line
from indimail_kit.logs.matchup import match
from indimail_kit.logs.pseudonyms import Pseudonyms
from indimail_kit.logs.redact import TREATMENTS, Redactor, redact_lines
from indimail_kit.logs.redact_words import own_words, redact_report, redact_text
from indimail_kit.logs.template import Form, GivenValue

KEY = b"a key for the tests and nothing else"
NAMES = Pseudonyms(KEY)

DATA = Path(__file__).parents[1] / "data" / "indimail"
RECORDED = sorted(path.relative_to(DATA) for path in (*DATA.glob("logs/*.log*"), *DATA.glob("clamd/*.log")))

ADDRESS = re.compile(rb"[0-9A-Za-z.+=-]+@[0-9A-Za-z][0-9A-Za-z.-]*[0-9A-Za-z]")
IP4 = re.compile(rb"(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9.])")
HOST = re.compile(rb"[0-9a-z-]+(?:\.[0-9a-z-]+)*\.(?:test|com|net|org)\b")

WITH_EXAMPLE = tuple(form for form in FORMS.values() if form.example)


def named(form: Form) -> str:
    """Return the name of a form for a test's id."""
    return form.name


@cache
def log(name: str) -> bytes:
    """Return the octets of a recorded log, or of a part of a made-up day."""
    if name in ("send", "smtpd", "clamd"):
        return bytes(getattr(make_logs(400), name))
    return b"".join(event.line + b"\n" * event.is_whole for event in read_events(DATA / name))


LOGS = [*map(str, RECORDED), "send", "smtpd", "clamd"]


def originals(octets: bytes) -> set[bytes]:
    """Return what must not be left: addresses, their parts, hosts, IP addresses; looking at the octets only."""
    addresses = set(ADDRESS.findall(octets))
    locals_ = {address.partition(b"@")[0] for address in addresses}
    domains = {address.partition(b"@")[2] for address in addresses}
    ips = {one for one in IP4.findall(octets) if all(int(part) < 256 for part in one.split(b"."))}
    return addresses | domains | ips | set(HOST.findall(octets)) | {one for one in locals_ if one not in own_words()}


def left_over(shown: bytes, names: set[bytes]) -> set[bytes]:
    """Return the names that stand in the text, as whole words."""
    lower = shown.lower()
    found = (name.lower() for name in names if name.lower() in lower)
    return {name for name in found if re.search(rb"(?<![0-9a-z])" + re.escape(name) + rb"(?![0-9a-z])", lower)}


@cache
def redacted(name: str) -> tuple[bytes, int]:
    """Return a log as it may be shown, and how many lines were withheld."""
    redactor = Redactor(KEY)
    return b"".join(redact_lines(log(name), redactor=redactor)), redactor.done.withheld


@pytest.mark.parametrize("name", LOGS)
def test_no_original_is_left(name: str) -> None:
    """No address, no part of one, no host, no IP address."""
    assert left_over(redacted(name)[0], originals(log(name))) == set()


@pytest.mark.parametrize("name", LOGS)
def test_every_line_says_the_same_of_the_mail(name: str) -> None:
    """As many lines of each kind, at the same times, of the same messages and deliveries; no new unknown line."""
    shown, withheld = redacted(name)
    wanted = ("kind", "unix_ns", "message_number", "delivery_number", "outcome", "qp", "uid", "pid", "message_bytes")
    before, after = (
        [tuple(getattr(event, attribute) for attribute in wanted) for event in read_events(one)]
        for one in (log(name), shown)
    )
    assert before == after
    assert withheld == 0


@pytest.mark.parametrize("name", [name for name in LOGS if "send" in name or "qscheduler" in name])
def test_deliveries_and_messages_are_the_same_up_to_names(name: str) -> None:
    """Every join still works; queues of the usual names keep them."""
    before, after = match(read_events(log(name))), match(read_events(redacted(name)[0]))
    renamed = [
        replace(
            one,
            sender=None if one.sender is None else NAMES.address(one.sender),
            recipient=None if one.recipient is None else NAMES.address(one.recipient),
            report=None if one.report is None else redact_report(one.report, NAMES),
        )
        for one in before.deliveries
    ]
    assert list(after.deliveries) == renamed
    assert [replace(one, sender=None) for one in after.messages] == [
        replace(one, sender=None) for one in before.messages
    ]
    assert len({one.recipient for one in before.deliveries}) == len({one.recipient for one in after.deliveries})


def test_who_guesses_passwords_still_stands_out() -> None:
    """One address with most of the failures, under another name."""
    day = make_logs(400)
    before, after = (
        Counter(event.remote_ip for event in read_events(octets) if event.kind == "smtpd_auth_failure")
        for octets in (day.smtpd, redacted("smtpd")[0])
    )
    assert sorted(before.values()) == sorted(after.values())
    assert after.most_common(1)[0][0] == NAMES.ip(day.guesser.encode()).decode()


def test_every_field_has_its_treatment() -> None:
    """A field that is new in the grammar must be thought about here."""
    assert set(FIELDS) - set(TREATMENTS) == set()


# --- what is hidden where ---------------------------------------------------------------------------------------------

SECRETS = (
    b"Zebulon",
    b"zebulon@secret-host.example.net",
    b"secret-host.example.net",
    b"198.51.100.77",
    b"2001:db8::77",
)


def planted(form: Form, secret: bytes) -> bytes | None:
    """Return a line of this form with a secret in each field that can hold it, None if none can."""
    example = parse_line(form.example.encode()) if form.example else None
    values: dict[str, GivenValue] = dict(example.fields) if example and example.form is form else {}
    found = False
    for name in form.field_names:
        field = FIELDS[name]
        for candidate in (b"/tmp/" + secret, b"A " + secret, b" X-Bogosity " + secret, secret):
            if field.kind.value == "octets" and re.fullmatch(field.pattern, candidate, re.DOTALL):
                values[name] = candidate
                found = True
        if name not in values and field.kind.value == "number":
            values[name] = 7
    try:
        return form.format(values) if found else None
    except TypeError:
        return None


@pytest.mark.parametrize("secret", SECRETS, ids=["name", "address", "host", "IPv4", "IPv6"])
def test_no_field_of_any_form_lets_a_name_through(secret: bytes) -> None:
    """A name is put into every field that can hold it; forms that a more special one takes over count there."""
    lines = [line for line in (planted(form, secret) for form in FORMS.values()) if line is not None]
    redactor = Redactor(KEY)
    shown = b"".join(redact_lines(b"\n".join(lines), redactor=redactor))
    assert len(lines) > 60
    assert secret.lower() not in shown.lower()
    assert redactor.done.withheld == 0


@pytest.mark.parametrize("form", WITH_EXAMPLE, ids=named)
def test_each_example_stays_of_its_kind(form: Form) -> None:
    """The forms' own examples."""
    event = parse_line(form.example.encode())
    shown = Redactor(KEY).line(event)
    assert parse_line(shown).kind == event.kind
    assert left_over(shown, originals(form.example.encode())) == set()


@given(st.data())
@settings(max_examples=300)
def test_damaged_lines_are_as_many_and_hold_no_original(data: st.DataObject) -> None:
    """Octets put in, taken out or changed: no exception, a line for a line, and the kind it had."""
    line = bytearray(data.draw(st.sampled_from(WITH_EXAMPLE)).example.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(line)))
        line[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    event = parse_line(bytes(line).replace(b"\n", b"") + b"\n")
    redactor = Redactor(KEY)
    shown = redactor.line(event)
    assert shown.count(b"\n") == 1
    assert redactor.done.withheld or parse_line(shown).kind == event.kind
    assert b"local.test" not in shown


@given(st.binary(max_size=60).filter(lambda octets: b"\n" not in octets), st.sampled_from(["remark", "report", "helo"]))
def test_any_octets_in_a_free_field_stay_one_line_of_its_kind(octets: bytes, field: str) -> None:
    """Whatever a client or a remote host says."""
    lines = {
        "remark": lambda: format_line("alert_queue", program="qmail-send", queue="queue1", remark=octets),
        "report": lambda: format_line("delivery", delivery_number=1, outcome="success", report=octets, queue="queue1"),
        "helo": lambda: format_line(
            "smtpd_accepted", pid=1, remote_ip="192.0.2.1", helo=octets, smtp_sender="", smtp_recipient="a@example.com",
            auth="local-rcpt", message_bytes=1, tls="No",
        ),
    }  # fmt: skip
    event = parse_line(lines[field]())
    redactor = Redactor(KEY)
    shown = redactor.line(event)
    assert redactor.done.withheld == 0
    assert parse_line(shown).kind == event.kind


@pytest.mark.parametrize(
    ("report", "shown"),
    [
        (b"did_0+2+0/qp_10681/", b"did_0+2+0/qp_10681/"),
        (b"no_mailbox_here_for_bob/", b"no_mailbox_here_for_*/"),
        (b"192.0.2.7_does_not_like_recipient./Remote_host_said:_550_5.1.1_<bob@example.com>:_Bob_left/Giving_up_on_192.0.2.7./",
         NAMES.ip(b"192.0.2.7") + b"_does_not_like_recipient./Remote_host_said:_550_5.1.1_*/Giving_up_on_"
         + NAMES.ip(b"192.0.2.7") + b"./"),
        (b"Remote_host_said:_451-see_http://x.example.com/bob/451_4.7.1_later/",
         b"Remote_host_said:_451_*/*/*/451_4.7.1_*/"),
        (b"john_doe@example.com_is_not_known/", b"*_" + NAMES.address(b"doe@example.com") + b"_is_not_known/"),
    ],
    ids=["counts and qp", "a name", "what the host said", "many lines", "a name with an underscore"],
)  # fmt: skip
def test_of_a_report_the_programs_own_words_and_codes_stay(report: bytes, shown: bytes) -> None:
    """What kind of failure it was can still be counted."""
    assert redact_report(report, NAMES) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"Subject: Meet Bob at 10:30:00", b"*: * at *"),
        (b"535 malformed SCRAM message [q,,n=bob,r=dGVzdA]", b"535 malformed SCRAM message [*,,*=*,*=*]"),
        (b"host ::ffff:192.0.2.1.", b"host ::ffff:" + NAMES.ip(b"192.0.2.1") + b"."),
        (b"version 1.4.6 of 2026, 12345 files", b"version 1.4.6 of *, * files"),
        (b"at 555.123.4567 or 5551234.5", b"at * or *"),
        ("Grüße an Zoë".encode(), b"* an *"),
        (b"\x1b[31m", b"*[*"),
    ],
    ids=["subject", "SASL", "mapped address", "numbers", "telephone", "not ASCII", "escape"],
)
def test_free_text_keeps_only_known_words(text: bytes, shown: bytes) -> None:
    """Times of day, long numbers and every word that is not a program's own go."""
    assert redact_text(text, NAMES) == shown


def test_an_unknown_line_is_a_length_and_nothing_else() -> None:
    """Nobody knows what it says, so nobody can say what must go."""
    redactor = Redactor(KEY)
    shown = b"".join(redact_lines(b"@400000004b9da2f03b424bb4 who is ann?\nhalf", redactor=redactor))
    assert shown == b"@400000004b9da2f03b424bb4 redacted: 11 octets\nredacted: 4 octets"
    assert (redactor.done.lines, redactor.done.unknown, redactor.done.withheld) == (2, 2, 0)
    assert {event.kind for event in read_events(shown)} == {"unknown"}


def test_a_forged_line_inside_an_address_goes_with_the_address() -> None:
    """It is part of a name."""
    line = b"info msg 5: bytes 9 from <x@y>@400000004b9da2f03b424bb4_end_msg_6_queue1> qp 7 uid 0 queue1"
    assert b"end_msg" not in Redactor(KEY).line(parse_line(line))


# --- pseudonyms -------------------------------------------------------------------------------------------------------


def test_the_parts_of_an_address_are_renamed_apart() -> None:
    """So that a domain's statistics and a user's survive; a bounce's sender is nobody's."""
    ann, bob, ann_too = (NAMES.address(one) for one in (b"ann@example.com", b"bob@example.com", b"ann@example.net"))
    assert ann.partition(b"@")[2] == bob.partition(b"@")[2] == NAMES.host(b"example.com")
    assert ann.partition(b"@")[0] == ann_too.partition(b"@")[0] == NAMES.user(b"ann")
    assert len({ann, bob, ann_too}) == 3
    assert (NAMES.address(b""), NAMES.address(b"#@[]")) == (b"", b"#@[]")


@given(st.ip_addresses())
def test_an_ip_address_keeps_its_version_and_is_nobodys(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """240.0.0.0/4 is reserved, 2001:db8::/32 is for documents."""
    shown = ipaddress.ip_address(NAMES.ip(str(address).encode()).decode())
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    nobodys = ipaddress.ip_network("240.0.0.0/4" if shown.version == 4 else "2001:db8::/32")
    assert shown.version == address.version
    assert shown in nobodys or mapped is not None


def test_no_two_ip_addresses_get_the_same_one() -> None:
    """28 bits are few: of 30,000 addresses two would meet."""
    names = Pseudonyms(KEY)
    shown = {names.ip(b"10.%d.%d.%d" % (a, b, c)) for a in range(3) for b in range(100) for c in range(100)}
    assert len(shown) == 30_000


def test_the_same_key_gives_the_same_names_and_another_key_others() -> None:
    """Two days' logs fit together for who has the key."""
    assert Pseudonyms(KEY).address(b"ann@example.com") == NAMES.address(b"Ann@EXAMPLE.com")
    assert Redactor().names.address(b"ann@example.com") != Redactor().names.address(b"ann@example.com")


def test_the_key_is_never_shown() -> None:
    """Not in a repr; and a key that can be guessed is refused."""
    assert b"tests" not in repr(NAMES).encode()
    with pytest.raises(FormatError, match="at least 16 octets"):
        Redactor(b"short")


# --- times ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stamp", "moved"),
    [
        (b"@400000004b9da2f03b424bb4 ", b"@400000004b9ef4703b424bb4 "),
        (b"2010-03-15 03:00:54.994200500 ", b"2010-03-16 03:00:54.994200500 "),
        (b"2010-12-31T23:59:59+05:30 ", b"2011-01-01T23:59:59+05:30 "),
        (b"1268622054.994200500 ", b"1268708454.994200500 "),
        (b"Mar 15 03:00:54 mx1 qmail: 1268622054.994200 ", b"1268708454.994200 "),
        (b"Mon Mar 15 03:00:54 2010 -> ", b"Tue Mar 16 03:00:54 2010 -> "),
        (b"", b""),
    ],
    ids=["TAI64N", "ISO", "ISO with zone", "Unix", "syslog", "ClamAV", "none"],
)
def test_times_can_be_moved(stamp: bytes, moved: bytes) -> None:
    """By the same for all lines, in the form that the stamp had; syslog's stamp names the host and goes."""
    assert Redactor(KEY, shift_s=86_400).line(parse_line(stamp + b"new msg 5")) == moved + b"new msg 5"


def test_the_host_in_syslogs_stamp_goes_even_if_times_stay(events_of: Callable[..., list[Event]]) -> None:
    """The time of splogger's own stamp is kept."""
    line = b"Mar 15 03:00:54 mx1 qmail: 1268622054.994200 new msg 5"
    assert Redactor(KEY).line(parse_line(line)) == b"1268622054.994200 new msg 5"


@given(st.binary(max_size=40).filter(lambda octets: b"\n" not in octets), st.integers(-(10**12), 10**12))
def test_no_move_is_an_exception(rest: bytes, shift_s: int) -> None:
    """Times that do not exist leave no stamp."""
    for stamp in (b"@400000004b9da2f03b424bb4 ", b"9999-12-31 23:59:59 ", b"0001-01-01 00:00:00 ", b"1.000000000 ",
                  b"Mon Jan 01 00:00:00 0001 -> "):  # fmt: skip
        assert Redactor(KEY, shift_s=shift_s).line(parse_line(stamp + rest + b"\n")).endswith(b"\n")
