"""The lines of qmail-send and its relatives."""

from __future__ import annotations

import pytest

from indimail_kit.logs.grammar import parse_line


@pytest.mark.parametrize(
    ("line", "kind", "fields"),
    [
        (b"new msg 660188", "new_msg", {"message_number": 660188}),
        (
            b"info msg 660188: bytes 2794 from fogcreek_xxx@response.whatcounts.com qp 3223 uid 555",
            "info_msg",
            {
                "message_number": 660188,
                "message_bytes": 2794,
                "bare_sender": b"fogcreek_xxx@response.whatcounts.com",
                "qp": 3223,
                "uid": 555,
            },
        ),
        (
            b"info msg 1704485: bytes 177 from <#@[]> qp 9766 uid 0 queue1",
            "info_msg",
            {
                "message_number": 1704485,
                "message_bytes": 177,
                "sender": b"#@[]",
                "qp": 9766,
                "uid": 0,
                "queue": b"queue1",
            },
        ),
        (
            b"local: bob@local.test sp ace@local.test 1704485 177 bytes queue1 opendir mode",
            "todo_recipient",
            {
                "channel": b"local",
                "raw_sender": b"bob@local.test",
                "raw_recipient": b"sp ace@local.test",
                "message_number": 1704485,
                "message_bytes": 177,
                "queue": b"queue1",
                "todo_mode": b"opendir",
            },
        ),
        (
            b"remote: ann@local.test far1@remote.test 1766991 178 bytes slowq",
            "todo_recipient",
            {
                "channel": b"remote",
                "raw_sender": b"ann@local.test",
                "raw_recipient": b"far1@remote.test",
                "message_number": 1766991,
                "message_bytes": 178,
                "queue": b"slowq",
            },
        ),
        (
            b"status: local 0/20 remote 0/20 delayed jobs=5 slowq",
            "status",
            {
                "local_used": 0,
                "local_max": 20,
                "remote_used": 0,
                "remote_max": 20,
                "delayed_jobs": 5,
                "queue": b"slowq",
            },
        ),
        (
            b"info: todo-proc: queue1: subdir=todo/137 fn=todo/137/1704474",
            "todo_file",
            {
                "severity": b"info",
                "todo_program": b"todo-proc",
                "queue": b"queue1",
                "subdirectory": b"todo/137",
                "directory": b"todo/137",
                "message_number": 1704474,
            },
        ),
        (
            b"warn: todo-proc: queue1: subdir=todo/13 fn=todo/137/1704474 incorrect split",
            "todo_file",
            {
                "severity": b"warn",
                "todo_program": b"todo-proc",
                "queue": b"queue1",
                "subdirectory": b"todo/13",
                "directory": b"todo/137",
                "message_number": 1704474,
                "wrong_split": True,
            },
        ),
        (
            (
                b"info: qscheduler: pid 20697 dynamic queues qStart/qCount 1/1, qconf=3, conf split=151,"
                b" msgqueue_len=10, msgqueue_size=1024"
            ),
            "scheduler_start",
            {
                "severity": b"info",
                "pid": 20697,
                "scheduler_mode": b"dynamic",
                "queue_start": 1,
                "queue_count": 1,
                "queue_limit": 3,
                "split": 151,
                "slot_count": 10,
                "slot_bytes": 1024,
            },
        ),
        (
            (
                b"warn: slowq remote.test msg 1766994: rate exceeded [2/0.3333333432/0.0500000000] need 17 secs;"
                b" will try again later"
            ),
            "rate_exceeded",
            {
                "severity": b"warn",
                "domain": b"remote.test",
                "message_number": 1766994,
                "rate": b"2/0.3333333432/0.0500000000",
                "seconds": 17,
            },
        ),
        (b"local deliveries temporarily held", "deliveries_held", {"channel": b"local"}),
        (b"remote deliveries resumed", "deliveries_resumed", {"channel": b"remote"}),
        (b"extra 1704477 1 2 0", "extra", {"message_number": 1704477, "successes": 1, "deferrals": 2, "failures": 0}),
    ],
)
def test_a_line_gives_its_fields(line: bytes, kind: str, fields: dict[str, object]) -> None:
    """Lines of the seed and of the recorded logs, with every field by hand."""
    event = parse_line(line)
    assert (event.kind, dict(event.fields)) == (kind, fields)


@pytest.mark.parametrize(
    ("line", "kind", "program", "severity", "queue"),
    [
        (b"alert: qmail-send: queue1: oh no! lost spawn connection!", "alert", "qmail-send", "alert", "queue1"),
        (b"alert: out of memory, sleeping...", "alert", None, "alert", ""),
        (b"alert: cannot start: unable to read controls", "alert", None, "alert", ""),
        (b"warn: qmail-send: queue1: trouble opening remote/5/8", "warning", "qmail-send", "warning", "queue1"),
        (b"warning: trouble opening remote/5/8; will try again later", "warning", None, "warning", ""),
        (b"info: qmail-send: queue1: loglock disabled", "info", "qmail-send", "info", "queue1"),
        (b"info: qscheduler: average load 95", "info", "qscheduler", "info", ""),
        (b"status: qmail-send: queue1: executing function startup", "plugin_started", "qmail-send", "info", "queue1"),
        (b"info: qmail-send: pid 4840 queue1 exiting", "send_exit", "qmail-send", "info", "queue1"),
        (b"status: exiting", "send_exit", "qmail-send", "info", ""),
        (b"exiting", "send_exit", "qmail-send", None, ""),
        (b"running", "send_start", "qmail-send", None, ""),
        (b"alert: qmail-send: 4840 got HUP: queue1", "signal", "qmail-send", "alert", "queue1"),
        (b"alert: qscheduler: pid 20697 got ALARM", "signal", "qscheduler", "alert", ""),
        (b"info: qscheduler: pid 3507, queue /q/queue1 died", "scheduler_queue", "qscheduler", "info", "queue1"),
        (b"info: qscheduler: issue SIGTERM to 4, queue /q/queue1", "scheduler_signal", "qscheduler", "info", "queue1"),
    ],
)  # fmt: skip
def test_a_line_names_its_program_its_severity_and_its_queue(
    line: bytes, kind: str, program: str | None, severity: str | None, queue: str
) -> None:
    """Each comes from the line alone; what the line does not say is not claimed."""
    event = parse_line(line)
    assert (event.kind, event.program, event.severity, event.queue) == (kind, program, severity, queue)


def test_a_mangled_report_is_a_deferral() -> None:
    """qmail-send tries again, and matchup counts it as deferred."""
    event = parse_line(b"delivery 7: report mangled, will defer: queue1")
    assert (event.outcome, event.report) == ("deferral", b"report_mangled")


@pytest.mark.parametrize(
    ("line", "report", "queue"),
    [
        (b"delivery 6: success: did_1+0+0/", b"did_1+0+0/", ""),
        (b"delivery 6: success: did_1+0+0/ queue1", b"did_1+0+0/", "queue1"),
        (b"delivery 6.12: failure:  queue12", b"", "queue12"),
        (b"delivery 6: deferral: ", b"", ""),
    ],
    ids=["2010", "today", "empty report", "empty report, 2010"],
)
def test_a_report_ends_at_its_first_blank(line: bytes, report: bytes, queue: str) -> None:
    """qmail-send leaves no blank in a report, so the queue's name can be told from it."""
    event = parse_line(line)
    assert (event.delivery_number, event.report, event.queue) == (6, report, queue)
