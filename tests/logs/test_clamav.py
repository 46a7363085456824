"""The lines of clamd and freshclam."""

from __future__ import annotations

import pytest

from indimail_kit.logs.grammar import parse_line


def test_the_seeds_scan_names_the_queue_file() -> None:
    """The path says queue and number; it was the seed's 73 s before "new msg", so it need not be the same message."""
    event = parse_line(b"@400000004b9da2a7061e372c /var/indimail/queue/queue2/mess/16/660188: OK")
    assert (event.kind, event.program, event.queue, event.message_number) == (
        "clamd_scan_ok",
        "clamd",
        "queue2",
        660188,
    )
    assert event.path == b"/var/indimail/queue/queue2/mess/16/660188"


@pytest.mark.parametrize(
    ("line", "kind", "path", "signature"),
    [
        (b"/opt/lab/run/m1: OK", "clamd_scan_ok", b"/opt/lab/run/m1", None),
        (b"/tmp/a: OK: OK", "clamd_scan_ok", b"/tmp/a: OK", None),
        (b"/tmp/a: Eicar FOUND: OK", "clamd_scan_ok", b"/tmp/a: Eicar FOUND", None),
        (b"/tmp/a: OK: Eicar FOUND", "clamd_scan_found", b"/tmp/a: OK", "Eicar"),
        (
            b"instream(local): Oracle.Eicar-Test-Signature.UNOFFICIAL(58524d3ef7232fbcde20eeea114da519:555) FOUND",
            "clamd_scan_found",
            b"instream(local)",
            "Oracle.Eicar-Test-Signature.UNOFFICIAL",
        ),
        (b"fd[12]: Eicar-Signature FOUND", "clamd_scan_found", b"fd[12]", "Eicar-Signature"),
        (b"/tmp/x: lstat() failed: No such file. ERROR", "clamd_scan_error", b"/tmp/x", None),
        (b"WARNING: File path check failure on: /nonexist", "clamd_scan_error", b"/nonexist", None),
    ],
)  # fmt: skip
def test_a_scan_is_ok_only_where_its_line_ends_so(line: bytes, kind: str, path: bytes, signature: str | None) -> None:
    """A file name cannot turn a finding into OK or the other way round: the end of the line decides."""
    event = parse_line(line)
    assert (event.kind, event.path, event.signature) == (kind, path, signature)


@pytest.mark.parametrize(
    "line",
    [b"/tmp/x: OK ", b"/tmp/x: ok", b"/tmp/x OK", b"m1: OK", b"/tmp/x:OK", b"/tmp/x: FOUND"],
    ids=["blank behind", "lower case", "no colon", "no path", "no blank", "no name"],
)
def test_what_is_not_exactly_ok_is_not_a_clean_scan(line: bytes) -> None:
    """Never clean by accident."""
    assert parse_line(line).kind != "clamd_scan_ok"


@pytest.mark.parametrize(
    ("line", "kind", "severity"),
    [
        (b"Database correctly reloaded (728651 signatures)", "clamd_database", None),
        (b"Limits: Global size limit set to 104857600 bytes.", "clamd_setting", None),
        (b"AlertExceedsMax heuristic detection disabled.", "clamd_setting", None),
        (b"daily.cld updated (version: 10574, sigs: 24611, f-level: 44, builder: ccordes)", "freshclam_updated", None),
        (b"eicar.ndb updated (version: custom database, sigs: 1)", "freshclam_updated", None),
        (b"eicar.ndb is up-to-date (version: custom database)", "freshclam_up_to_date", None),
        (b"bytecode.cvd is up to date (version: 2, sigs: 2, f-level: 44, builder: n)", "freshclam_up_to_date", None),
        (b"Downloading daily-10574.cdiff [100%]g daily-10574.cdiff [ 13%]", "freshclam_step", None),
        (b"WARNING: DNS Update Info disabled. Falling back to HTTP mode.", "clamav_warning", "warning"),
        (
            b"ERROR: Download failed (7) Sun Nov 22 14:29:12 2026 -> ERROR:  Message: Couldn't connect to server",
            "clamav_error",
            "error",
        ),
    ],
)  # fmt: skip
def test_what_clamd_and_freshclam_say_is_recognised(line: bytes, kind: str, severity: str | None) -> None:
    """Lines of the seed and of the recorded logs."""
    event = parse_line(line)
    assert (event.kind, event.severity) == (kind, severity)


def test_the_glued_second_entry_is_no_stamp() -> None:
    """With "Download failed" freshclam glues two entries on one line: the time is the first one's."""
    event = parse_line(b"Sun Nov 22 14:29:12 2026 -> ERROR: failed Sun Nov 22 14:29:13 2026 -> ERROR: x")
    assert (event.unix_ns, event.octets("remark")) == (
        1_795_357_752 * 10**9,
        b"failed Sun Nov 22 14:29:13 2026 -> ERROR: x",
    )


@pytest.mark.parametrize(
    "path",
    [b"/q/queue2/mess/16/660188x", b"/q/queue2/mess/660188", b"/q/queue2/mess/16/" + b"1" * 19, b"/q/mess/1/2/3"],
)
def test_a_path_that_is_no_queue_file_names_no_message(path: bytes) -> None:
    """Only queue/mess/N/N is one."""
    event = parse_line(path + b": OK")
    assert (event.queue, event.message_number) == ("", None)
