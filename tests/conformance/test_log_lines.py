"""Logs of real programs: the seed's lines, recorded logs of IndiMail 3.1 and ClamAV 1.4.6, matchup's answers."""

from __future__ import annotations

import gzip
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from indimail_kit.logs import FORMS, Event, Log, format_line, parse_line, read
from indimail_kit.logs.matchup import Delivery, Message

RECORDED = Path(__file__).parents[1] / "data" / "indimail"

SEND_LOGS = {
    "send-single-queue1": (429, 61, 26),
    "send-for-smtpd": (200, 22, 6),
    "send-odd-lines-queue1": (134, 18, 7),
    "slowq-send": (72, 7, 1),
    "qscheduler-static-3queues": (18_016, 2_446, 1_367),
}
"""Log -> its lines, and the rows d and m that the real matchup printed for it."""

OTHER_LOGS = {
    "logs/smtpd-2530-auth.tai64n.log": 313,
    "logs/smtpd-2531.tai64n.log": 20,
    "logs/smtpd-2532.tai64n.log": 5,
    "logs/smtpd-2533.tai64n.log": 11,
    "logs/smtpd-2534.tai64n.log": 5,
    "logs/smtpd-2536.tai64n.log": 5,
    "clamd/clamd.log": 77,
    "clamd/freshclam.log": 65,
    "clamd/freshclam-custom.log": 20,
}
"""Log -> its lines."""

SEED_SEND = (
    b"@400000004b9da2f03b424bb4 new msg 660188",
    b"@400000004b9da2f03b426324 info msg 660188: bytes 2794 from fogcreek_xxx@response.whatcounts.com qp 3223 uid 555",
    b"@400000004b9da2f03b42c0e4 starting delivery 6: msg 660188 to local mailstore@indimail.org",
    b"@400000004b9da2f03b42dc3c status: local 1/10 remote 0/20",
    b"@400000004b9da2f106a1e234 delivery 6: success: did_1+0+0/",
    b"@400000004b9da2f1091e676c status: local 0/10 remote 0/20",
    b"@400000004b9da2f1091fa3d4 end msg 660188",
)
"""The seed's log sequence of a message received on the local system."""

SEED_FRESHCLAM = (
    b"@400000004b9da034170f6394 cdiff_apply: Parsed 17 lines and executed 17 commands",
    b"@400000004b9da03417103e54 Retrieving http://database.clamav.net/daily-10574.cdiff",
    b"@400000004b9da0342261b83c Trying to download http://database.clamav.net/daily-10574.cdiff (IP: 130.59.10.36)",
    b"Downloading daily-10574.cdiff [100%]g daily-10574.cdiff [ 13%]",
    b"@400000004b9da03509c39c64 cdiff_apply: Parsed 436 lines and executed 436 commands",
    b"@400000004b9da03510c3485c daily.cld updated (version: 10574, sigs: 24611, f-level: 44, builder: ccordes)",
    b"@400000004b9da03510c4d2e4 bytecode.cvd version from DNS: 2",
    b"@400000004b9da03510c4de9c bytecode.cvd is up to date (version: 2, sigs: 2, f-level: 44, builder: nervous)",
    b"@400000004b9da03510c82e44 Database updated (729340 signatures) from database.clamav.net (IP: 130.59.10.36)",
)
"""The seed's `tail -f /var/log/indimail/freshclam/current`."""

SEED_CLAMD = (
    b"@400000004b9da0260d6c1a94 Limits: Global size limit set to 104857600 bytes.",
    b"@400000004b9da0260d6c264c Limits: File size limit set to 26214400 bytes.",
    b"@400000004b9da0260d6c3204 Limits: Recursion level limit set to 16.",
    b"@400000004b9da0260d6c3dbc Limits: Files limit set to 10000.",
    b"@400000004b9da0260d6c4974 Archive support enabled.",
    b"@400000004b9da0260d6c5144 Algorithmic detection enabled.",
    b"@400000004b9da0260d6c5cfc Portable Executable support enabled.",
    b"@400000004b9da0260d6c68b4 ELF support enabled.",
    b"@400000004b9da0260d6c7084 Detection of broken executables enabled.",
    b"@400000004b9da0260e7abfbc Mail files support enabled.",
    b"@400000004b9da0260e7acb74 OLE2 support enabled.",
    b"@400000004b9da0260e7ad344 PDF support enabled.",
    b"@400000004b9da0260e7adefc HTML support enabled.",
    b"@400000004b9da0260e7ae6cc Self checking every 600 seconds.",
    b"@400000004b9da2a3116a177c No stats for Database check - forcing reload",
    b"@400000004b9da2a3206deb04 Reading databases from /var/indimail/share/clamd",
    b"@400000004b9da2a70489facc Database correctly reloaded (728651 signatures)",
    b"@400000004b9da2a7061e372c /var/indimail/queue/queue2/mess/16/660188: OK",
)
"""The seed's `cat /var/log/indimail/clamd/current`."""


def octets_of(name: str) -> bytes:
    """Return a recorded answer, decompressed."""
    octets = (RECORDED / name).read_bytes()
    return gzip.decompress(octets) if name.endswith(".gz") else octets


@cache
def log_of(name: str) -> Log:
    """Return a recorded qmail-send log, read once for all tests."""
    return read(RECORDED / "logs" / f"{name}.tai64n.log.gz")


@cache
def matchup_rows(name: str, letter: str) -> list[str]:
    """Return the rows "d" or "m" that the real matchup printed, sorted: its order is that of the ends."""
    lines = octets_of(f"logs/{name}.matchup.gz").decode().splitlines()
    return sorted(line for line in lines if line.startswith(f"{letter} "))


def formatted(event: Event) -> bytes:
    """Write an event again with the function that the lab's qmail-send uses: cleaning and all."""
    fields = dict(event.fields)
    glued = fields.pop("glued_queue", None)
    assert event.form is not None
    line = format_line(event.form.name, **fields)
    return b" %s%s" % (glued, line) if isinstance(glued, bytes) else line


# -- the seed -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [*SEED_SEND, *SEED_FRESHCLAM, *SEED_CLAMD], ids=bytes.decode)
def test_every_line_of_the_seed_is_known(line: bytes) -> None:
    """2010's forms: no queue names, a sender without brackets, a progress line without a stamp."""
    event = parse_line(line)
    assert event.kind != "unknown"
    assert event.label_kind == ("tai64n" if line.startswith(b"@") else "none")


@pytest.mark.parametrize("line", SEED_SEND, ids=bytes.decode)
def test_the_seeds_qmail_send_lines_are_written_letter_for_letter(line: bytes) -> None:
    """What is read and written again is what was there."""
    event = parse_line(line)
    assert formatted(event) == event.text == line[26:]


def test_the_seeds_sequence_gives_the_fields_it_shows() -> None:
    """Number, size, sender, qp, uid, delivery, outcome, concurrency."""
    events = [parse_line(line) for line in SEED_SEND]
    assert [event.kind for event in events] == [
        "new_msg", "info_msg", "starting_delivery", "status", "delivery", "status", "end_msg",
    ]  # fmt: skip
    assert (events[1].message_bytes, events[1].sender) == (2794, b"fogcreek_xxx@response.whatcounts.com")
    assert (events[1].qp, events[1].uid) == (3223, 555)
    assert (events[2].delivery_number, events[2].message_number, events[2].channel) == (6, 660188, "local")
    assert events[2].recipient == b"mailstore@indimail.org"
    assert (events[3].local_used, events[3].local_max, events[3].remote_used, events[3].remote_max) == (1, 10, 0, 20)
    assert (events[4].outcome, events[4].report) == ("success", b"did_1+0+0/")


def test_the_seeds_message_and_its_scan_are_not_taken_for_one() -> None:
    """The trap in the seed: the scan of mess/16/660188 was 73 s before "new msg 660188", in queue2."""
    log = read(b"".join(line + b"\n" for line in (*SEED_CLAMD, *SEED_SEND)))
    scan = next(event for event in log.events_list if event.kind == "clamd_scan_ok")
    (message,) = log.matched.messages
    assert (scan.queue, scan.message_number, message.queue, message.message_number) == ("queue2", 660188, "", 660188)
    assert scan.unix_ns is not None
    assert message.queued_ns is not None
    assert (message.queued_ns - scan.unix_ns) // 10**9 == 73
    assert message.first_event == len(SEED_CLAMD)


# -- recorded lines -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SEND_LOGS)
def test_no_line_of_a_recorded_qmail_send_log_is_unknown(name: str) -> None:
    """Unknown share 0 of every log, and as many events as lines."""
    log = log_of(name)
    assert (len(log), log.unknown) == (SEND_LOGS[name][0], ())
    assert {event.label_kind for event in log.events_list} == {"tai64n"}


@pytest.mark.parametrize("name", SEND_LOGS)
def test_every_recorded_qmail_send_line_is_written_letter_for_letter(name: str) -> None:
    """format_line with the fields of a parsed line gives the line, with the cleaning of addresses and reports."""
    events = log_of(name).events_list
    assert [event.text for event in events if formatted(event) != event.text] == []


@pytest.mark.parametrize("name", SEND_LOGS)
def test_the_events_are_the_log(name: str) -> None:
    """Octet for octet, in order."""
    octets = octets_of(f"logs/{name}.tai64n.log.gz")
    assert b"".join(event.line + b"\n" for event in log_of(name).events_list) == octets


@pytest.mark.parametrize("name", OTHER_LOGS)
def test_no_line_of_qmail_smtpd_tcpserver_clamd_and_freshclam_is_unknown(name: str) -> None:
    """Unknown share 0 here too."""
    log = read(RECORDED / name)
    assert (len(log), log.unknown) == (OTHER_LOGS[name], ())


def test_every_shape_of_the_census_is_known_and_written_again() -> None:
    """line-shapes.txt holds an example of every shape seen, some only in logs that were not kept."""
    marker = b"           e.g. "
    lines = octets_of("logs/line-shapes.txt").splitlines()
    examples = [line[len(marker) :] for line in lines if line.startswith(marker)]
    assert [line.startswith(marker) for line in lines] == [False, True] * len(examples)  # each shape has its example
    events = [parse_line(line) for line in examples]
    assert len(examples) == 63
    assert [event.line for event in events if event.kind == "unknown"] == []
    assert [formatted(event) for event in events] == examples


def test_the_recorded_held_lines_are_what_they_are() -> None:
    """Broken by a real bug: held, resumed, and the signal that was glued to the queue's name."""
    kinds = Counter(
        event.kind for event in log_of("send-odd-lines-queue1").events_list if "glued_queue" in event.fields
    )
    assert kinds == {"deliveries_held": 1, "deliveries_resumed": 1, "signal": 2}


def test_what_todo_proc_logs_raw_qmail_send_logs_cleaned() -> None:
    """The recorded odd addresses: logsafe() of todo-proc's recipients are qmail-send's."""
    events = log_of("send-odd-lines-queue1").events_list
    number = next(event.message_number for event in events if event.recipient == b"sp ace@local.test")
    raw = [event.recipient for event in events if event.kind == "todo_recipient" and event.message_number == number]
    cleaned = [
        event.recipient for event in events if event.kind == "starting_delivery" and event.message_number == number
    ]
    written = [
        format_line("starting_delivery", delivery_number=1, message_number=1, channel="local", recipient=one)
        for one in raw
    ]
    assert sorted(written) == sorted(
        b"starting delivery 1: msg 1 to local " + one for one in cleaned if one is not None
    )


def test_clamds_findings_are_counted_right() -> None:
    """As many of each kind as lines that end so."""
    kinds = read(RECORDED / "clamd" / "clamd.log").kinds
    octets = octets_of("clamd/clamd.log")
    assert kinds["clamd_scan_found"] == octets.count(b" FOUND\n")
    assert kinds["clamd_scan_ok"] == octets.count(b": OK\n")
    assert kinds["clamd_scan_error"] == octets.count(b"check failure")


def test_failed_logins_of_the_recorded_log_are_counted_right() -> None:
    """Every line that ends with "auth failure", with its user."""
    log = read(RECORDED / "logs" / "smtpd-2530-auth.tai64n.log")
    failures = [event for event in log.events_list if event.kind == "smtpd_auth_failure"]
    assert len(failures) == octets_of("logs/smtpd-2530-auth.tai64n.log").count(b" auth failure\n")
    assert Counter(event.octets("auth_user") for event in failures)[b"test@local.test"] == 6


# -- matchup --------------------------------------------------------------------------------------------------------


def seconds(unix_ns: int | None) -> str:
    """Write a time as matchup does."""
    whole, nanoseconds = divmod(unix_ns or 0, 10**9)
    return f"{whole}.{nanoseconds:09}"


def address(octets: bytes | None) -> str:
    """Write a sender as matchup does."""
    return "?" if octets is None else f"<{octets.decode().lower()}>"


def delivery_row(one: Delivery) -> str:
    """Write a finished delivery as matchup does; for a message older than the log with its 0 and its question marks."""
    letter = {"success": "k", "failure": "d", "deferral": "z"}[one.outcome or ""]
    birth = one.started_ns if one.sender is None else one.queued_ns
    qp, uid = ("?", "?") if one.sender is None else (one.qp, one.uid)
    target = f"{one.channel}.{(one.recipient or b'').decode().lower()}"
    return (
        f"d {letter} {seconds(birth)} {seconds(one.started_ns)} {seconds(one.ended_ns)} {one.message_bytes or 0}"
        f" {address(one.sender)} {target} {qp} {uid} {(one.report or b'').decode()}"
    )


def message_row(one: Message) -> str:
    """Write a finished message as matchup does."""
    return (
        f"m {seconds(one.queued_ns)} {seconds(one.ended_ns)} {one.message_bytes} {one.successes} {one.failures}"
        f" {one.deferrals} {address(one.sender)} {one.qp} {one.uid}"
    )


def pending_rows(one: Message) -> tuple[str, str]:
    """Write an open message as matchup hands it to its next run."""
    birth = seconds(one.queued_ns)
    info = f"bytes {one.message_bytes} from {address(one.sender)} qp {one.qp} uid {one.uid}"
    counts = f"{one.successes} {one.deferrals} {one.failures}"
    return f"{birth} info msg {one.message_number}: {info}", f"{birth} extra {one.message_number} {counts}"


@pytest.mark.parametrize("name", SEND_LOGS)
def test_deliveries_are_those_of_the_real_matchup(name: str) -> None:
    """Birth, start, end, bytes, sender, recipient, qp, uid and report of every row, and no row more or less."""
    rows = sorted(delivery_row(one) for one in log_of(name).matched.deliveries if one.ended_ns is not None)
    assert len(rows) == SEND_LOGS[name][1]
    assert rows == matchup_rows(name, "d")


@pytest.mark.parametrize("name", SEND_LOGS)
def test_messages_are_those_of_the_real_matchup(name: str) -> None:
    """Birth, end, bytes, counts, sender, qp and uid of every row, and no row more or less."""
    messages = log_of(name).matched.messages
    rows = sorted(message_row(one) for one in messages if one.ended_ns is not None and one.sender is not None)
    assert len(rows) == SEND_LOGS[name][2]
    assert rows == matchup_rows(name, "m")


@pytest.mark.parametrize("name", SEND_LOGS)
def test_open_messages_are_those_that_matchup_hands_on(name: str) -> None:
    """On fd 5: what is still in the queue, with its counts so far; messages older than the log are not there."""
    matched = log_of(name).matched
    rows = [line for one in matched.open_messages if one.sender is not None for line in pending_rows(one)]
    assert sorted(rows) == sorted(octets_of(f"logs/{name}.matchup-pending").decode().splitlines())
    assert matched.open_deliveries == ()


@pytest.mark.parametrize("name", SEND_LOGS)
def test_no_delivery_is_lost_between_its_lines_and_its_row(name: str) -> None:
    """As many rows as lines "starting delivery"."""
    log = log_of(name)
    assert len(log.matched.deliveries) == log.kinds["starting_delivery"]
    assert log.kinds["delivery"] == sum(one.outcome is not None for one in log.matched.deliveries)


def test_numbers_are_used_again_in_the_recorded_log() -> None:
    """Why lifetimes are needed: within two minutes one inode number served 31 messages."""
    messages = log_of("qscheduler-static-3queues").matched.messages
    assert max(one.lifetime for one in messages) == 31
    assert len({(one.queue, one.message_number, one.lifetime) for one in messages}) == len(messages)


def test_every_form_with_an_example_of_a_recorded_log_is_of_use() -> None:
    """The forms that the recorded logs show: at least these kinds occur."""
    seen: Counter[str] = Counter()
    for name in SEND_LOGS:
        seen.update(log_of(name).kinds)
    assert set(seen) <= {form.kind for form in FORMS.values()}
    assert len(seen) >= 25
