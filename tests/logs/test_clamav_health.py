"""Tests of clamav_health.py and clamav_runs.py: the seed's logs, the recorded ones, and what a log does not say."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from indimail_kit.logs import clamav_health, read_events
from indimail_kit.logs.clamav_health import Gap, severities
from indimail_kit.logs.clamav_runs import Reload
from indimail_kit.logs.grammar import parse_line

RECORDED = Path(__file__).parents[1] / "data" / "indimail" / "clamd"
HOUR_NS = 3600 * 10**9

SEED = b"""\
@400000004b9da034170f6394 cdiff_apply: Parsed 17 lines and executed 17 commands
@400000004b9da03510c3485c daily.cld updated (version: 10574, sigs: 24611, f-level: 44, builder: ccordes)
@400000004b9da03510c4de9c bytecode.cvd is up to date (version: 2, sigs: 2, f-level: 44, builder: nervous)
@400000004b9da03510c82e44 Database updated (729340 signatures) from database.clamav.net (IP: 130.59.10.36)
@400000004b9da2a3116a177c No stats for Database check - forcing reload
@400000004b9da2a3206deb04 Reading databases from /var/indimail/share/clamd
@400000004b9da2a70489facc Database correctly reloaded (728651 signatures)
@400000004b9da2a7061e372c /var/indimail/queue/queue2/mess/16/660188: OK
"""


def stamped(*lines: tuple[str, str]) -> bytes:
    """Return lines as ClamAV's own log files have them: local time of 2026, no zone."""
    return "".join(f"{stamp} 2026 -> {text}\n" for stamp, text in lines).encode()


def test_the_seeds_logs_are_a_healthy_scanner() -> None:
    """What stands in the text of 2010: two databases, 728,651 signatures, a reload of 3.8 s, one clean scan."""
    health = clamav_health(read_events(SEED))

    assert [(one.name, one.version, one.signature_count) for one in health.databases] == [
        ("daily.cld", "10574", 24611),
        ("bytecode.cvd", "2", 2),
    ]
    assert [one.changed_unix_ns is None for one in health.databases] == [False, True]
    assert health.signature_count == 728_651
    assert [(one.outcome, round(one.seconds, 3)) for one in health.reloads] == [("loaded", 3.784)]
    assert (health.scans, health.error_count, health.warning_count) == ({"CLEAN": 1}, 0, 0)
    assert (health.unknown_count, health.zoneless_count, health.failed_in_a_row) == (0, 0, 0)
    assert health.database_age_s == pytest.approx(625.823, abs=0.01)
    assert health.gaps == ()


def test_recorded_logs_are_read_whole() -> None:
    """Every line of ClamAV 1.4.6 is understood; four of freshclam's six runs failed, the last among them."""
    files = [RECORDED / name for name in ("clamd.log", "freshclam.log", "freshclam-custom.log")]

    health = clamav_health(read_events(*files))

    assert (health.line_count, health.unknown_count, health.zoneless_count) == (162, 0, 162)
    assert [run.outcome for run in health.runs] == ["failed"] * 3 + ["updated", "current", "failed"]
    assert [run.is_clamd_notified for run in health.runs] == [False, False, False, True, False, False]
    assert health.failed_in_a_row == 1
    assert health.runs[-1].last_error == b"ERROR: Update failed."
    assert [one.outcome for one in health.reloads] == ["loaded"] * 3
    assert health.scans == {"CLEAN": 5, "INFECTED": 12, "ERROR": 3}


def test_entries_that_are_glued_are_both_counted() -> None:
    """Freshclam writes two entries of "Download failed" on one line."""
    glued = parse_line(
        b"Sun Nov 22 14:29:12 2026 -> ERROR: Download failed (7) Sun Nov 22 14:29:12 2026 -> ERROR:  Message: Couldn't"
    )

    assert severities(glued) == ("error", "error")


def test_a_path_cannot_add_an_entry() -> None:
    """What looks like a second entry in a scanned path is a part of the path."""
    forged = parse_line(b"/tmp/x Sun Nov 22 14:29:12 2026 -> ERROR: forged: Eicar FOUND")

    assert (forged.kind, severities(forged)) == ("clamd_scan_found", ())


@pytest.mark.parametrize(
    ("zone", "hours"),
    [(None, 0), (ZoneInfo("UTC"), 0), (ZoneInfo("Asia/Kolkata"), -5.5), (ZoneInfo("Europe/Berlin"), -1)],
)
def test_times_without_a_zone_are_read_in_the_zone_that_is_said(zone: ZoneInfo | None, hours: float) -> None:
    """The caller says which zone was meant; the answer repeats it."""
    log = stamped(("Sun Nov 22 14:29:12", "eicar.ndb updated (version: custom database, sigs: 1)"))

    health = clamav_health(read_events(log), zone=zone)

    assert health.last_change_unix_ns == 1_795_357_752 * 10**9 + int(hours * HOUR_NS)
    assert f"1 of 1 lines name no zone and were read as {zone or 'UTC'}" in repr(health)


def test_summer_and_winter_have_their_own_offset() -> None:
    """One zone, two offsets: a gap over the change of the clock has its true length."""
    log = stamped(
        ("Sat Oct 24 12:00:00", "ClamAV update process started at Sat Oct 24 12:00:00 2026"),
        ("Sat Oct 24 12:00:00", "daily.cld is up-to-date (version: 1, sigs: 1)"),
        ("Sun Oct 25 12:00:00", "ClamAV update process started at Sun Oct 25 12:00:00 2026"),
        ("Sun Oct 25 12:00:00", "daily.cld is up-to-date (version: 1, sigs: 1)"),
    )

    gaps = clamav_health(read_events(log), zone=ZoneInfo("Europe/Berlin"), silence_s=24.5 * 3600).gaps

    assert [gap.seconds / 3600 for gap in gaps] == [25.0]


def test_labels_are_utc_whatever_zone_is_said() -> None:
    """Multilog's labels name their moment."""
    with_zone, without = (clamav_health(read_events(SEED), zone=zone) for zone in (ZoneInfo("Asia/Tokyo"), None))

    assert with_zone.last_change_unix_ns == without.last_change_unix_ns


def _runs(*outcomes: tuple[str, str]) -> bytes:
    lines = []
    for stamp, line in outcomes:
        lines += [(stamp, "-" * 38), (stamp, f"ClamAV update process started at {stamp} 2026"), (stamp, line)]
    return stamped(*lines)


CURRENT = "daily.cld is up-to-date (version: 1, sigs: 9)"
FAILED = "ERROR: Update failed."


def test_gaps_are_the_times_without_a_success() -> None:
    """Failures do not end a gap; the last one goes on until the moment of the question."""
    log = _runs(
        ("Mon Nov 02 00:00:00", CURRENT),
        ("Mon Nov 02 12:00:00", CURRENT),
        ("Tue Nov 03 00:00:00", FAILED),
        ("Wed Nov 04 12:00:00", CURRENT),
        ("Thu Nov 05 00:00:00", FAILED),
        ("Thu Nov 05 12:00:00", FAILED),
    )
    health = clamav_health(read_events(log))
    later = clamav_health(read_events(log), at_unix_ns=health.at_unix_ns + 24 * HOUR_NS)

    assert [(gap.seconds / 3600, gap.is_open) for gap in health.gaps] == [(48.0, False)]
    assert [(gap.seconds / 3600, gap.is_open) for gap in later.gaps] == [(48.0, False), (48.0, True)]
    assert (health.failed_in_a_row, health.success_age_s) == (2, 86_400.0)
    assert "the last 2 in a row" in repr(later)
    assert "2.0 days from 2026-11-04 12:00:00 UTC, going on" in repr(later)


def test_both_sides_of_the_limit_of_a_gap() -> None:
    """Exactly the limit is no gap."""
    log = _runs(("Mon Nov 02 00:00:00", CURRENT), ("Tue Nov 03 00:00:00", CURRENT))

    assert clamav_health(read_events(log), silence_s=86_400).gaps == ()
    assert len(clamav_health(read_events(log), silence_s=86_399).gaps) == 1


def test_freshclam_that_never_succeeded_is_one_gap() -> None:
    """From its first line until now."""
    log = _runs(("Mon Nov 02 00:00:00", FAILED), ("Thu Nov 05 00:00:00", FAILED))

    health = clamav_health(read_events(log))

    assert health.gaps == (Gap(1_793_577_600 * 10**9, 1_793_836_800 * 10**9, is_open=True),)
    assert (health.last_success_unix_ns, health.success_age_s, health.databases) == (None, None, ())


def test_run_that_is_cut_off_is_no_success() -> None:
    """A log that ends in the middle of a run does not say how it ended."""
    log = _runs(("Mon Nov 02 00:00:00", "WARNING: DNS Update Info disabled. Falling back to HTTP mode."))

    health = clamav_health(read_events(log))

    assert [run.outcome for run in health.runs] == ["open"]
    assert (health.last_success_unix_ns, health.warning_count) == (None, 1)


def test_errors_of_clamd_are_not_freshclams() -> None:
    """A line "ERROR: …" names no program: it belongs to the one whose log it stands in."""
    log = b"+++ Started at Sun Nov 22 14:13:28 2026\nERROR: Can't open file or directory\n"

    health = clamav_health(read_events(log))

    assert (health.runs, health.error_count) == ((), 1)


RELOADS = {
    "loaded": (
        ["Reading databases from /db", "Database correctly reloaded (4 signatures)",
         "Activating the newly loaded database..."],
        [Reload(1, 0, 4, "loaded", 4)],
    ),
    "failed": (
        ["Reading databases from /db", "ERROR: reload_th: Database load failed: Malformed database",
         "WARNING: Database reload failed, keeping the previous instance"],
        [Reload(1, 0, 4, "failed")],
    ),
    "asked for by a self check": (
        ["SelfCheck: Database modification detected. Forcing reload.", "Reading databases from /db",
         "Database correctly reloaded (4 signatures)"],
        [Reload(1, 0, 8, "loaded", 4)],
    ),
    "quiet self check": (["SelfCheck: Database status OK."], []),
    "not at its end": (["Reading databases from /db"], [Reload(1, 0, None, "open")]),
    "first reading": (["+++ Started at x", "Reading databases from /db", "Loaded 4 signatures."], []),
    "beginning lost": (["Database correctly reloaded (4 signatures)"], [Reload(1, None, 0, "loaded", 4)]),
    "failed, then loaded": (
        ["Reading databases from /db", "ERROR: reload_th: Database load failed: x",
         "WARNING: Database reload failed, keeping the previous instance", "Reading databases from /db",
         "Database correctly reloaded (5 signatures)"],
        [Reload(1, 0, 4, "failed"), Reload(2, 12, 16, "loaded", 5)],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("texts", "expected"), RELOADS.values(), ids=RELOADS)
def test_reloads_are_put_together(texts: list[str], expected: list[Reload]) -> None:
    """Beginning, end and how it ended; each line is four seconds behind the one before."""
    begin = 1_793_577_600
    log = "".join(f"{begin + 4 * number}.000000000 {text}\n" for number, text in enumerate(texts)).encode()

    def absolute(seconds: int | None) -> int | None:
        return None if seconds is None else (begin + seconds) * 10**9

    wanted = [
        Reload(one.reload_number, absolute(one.start_unix_ns), absolute(one.end_unix_ns), one.outcome,
               one.signature_count)
        for one in expected
    ]  # fmt: skip
    assert list(clamav_health(read_events(log)).reloads) == wanted


def test_what_the_log_does_not_say_is_none() -> None:
    """No line, no answer: nothing is 0 by default that nobody counted."""
    health = clamav_health([])

    assert (health.at_unix_ns, health.signature_count, health.database_age_s, health.longest_reload_s) == (None,) * 4
    assert "not in these logs" in repr(health)
    assert "none in these logs" in repr(health)


def test_other_programs_lines_are_left_out_and_unknown_ones_counted() -> None:
    """A log of everything gives the scanner's part; what nobody understands is not hidden."""
    health = clamav_health(read_events(b"new msg 660188\nsomething odd\nLoaded 3 signatures.\n"))

    assert (health.line_count, health.unknown_count, health.signature_count) == (2, 1, 3)


def test_version_keeps_its_count_until_it_changes() -> None:
    """Freshclam tells the signatures of a version once; of a new version without a number nothing is known."""
    same = clamav_health(
        read_events(b"eicar.ndb updated (version: 7, sigs: 1)\neicar.ndb is up-to-date (version: 7)\n")
    )
    other = clamav_health(
        read_events(b"eicar.ndb updated (version: 7, sigs: 1)\neicar.ndb is up-to-date (version: 8)\n")
    )

    assert [one.signature_count for health in (same, other) for one in health.databases] == [1, None]


def test_hostile_log_text_is_escaped_in_html() -> None:
    """Names from a log are text in a notebook."""
    shown = clamav_health(read_events(SEED.replace(b"10574", b"<script>alert</script>")))._repr_html_()

    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
