"""The lines of clamd and freshclam: scans, the signature database, settings.

Source: ClamAV clamd/scanner.c, clamd/server-th.c, freshclam/freshclam.c; the seed text of 2010; the recorded logs
`clamd/*.log`.

Note for maintainers: ClamAV's own log files stamp with the local time of day and ``->``; under supervise the lines
carry multilog's label. A scanned path may hold any octet, ``": "`` too. A path inside a queue names the queue and the
message number, yet a number is used again at once: the scan may have been another message's. The order matters: the
first form that fits names the line.
"""

from __future__ import annotations

from typing import Final

from indimail_kit.logs.template import Form

_RECORDED: Final = "recorded log clamd.log"
_FRESHCLAM: Final = "recorded log freshclam.log"
_SEED: Final = "seed text of 2010"
_TRIED: Final = "ClamAV 1.4.6, tried"

_STOPPING: Final = (
    ("clamd_pid_file_removed", "Pid file removed."),
    ("clamd_socket_file_removed", "Socket file removed."),
)

_SETTINGS: Final = (
    ("clamd_limit", "Limits: {remark}", "Limits: Recursion level limit set to 16."),
    ("clamd_heuristics", "Heuristic alerting {remark}", "Heuristic alerting enabled for encrypted archives."),
    ("clamd_part", "{setting} {on_off}.", "Archive support enabled."),
    ("clamd_self_check_interval", "Self checking every {seconds} seconds.", "Self checking every 600 seconds."),
    ("clamd_pua", "Not loading PUA signatures.", "Not loading PUA signatures."),
    ("clamd_bytecode", "Bytecode: {remark}", 'Bytecode: Security mode set to "TrustSigned".'),
    ("clamd_log_size", "Log file size limited to {remark}", "Log file size limited to 1048576 bytes."),
    ("clamd_descriptors", "Received {remark} from systemd.", "Received 0 file descriptor(s) from systemd."),
    ("clamd_tcp", "TCP: {remark}", "TCP: Bound to [127.0.0.1]:13311"),
    ("clamd_local", "LOCAL: {remark}", "LOCAL: Unix socket file /opt/lab/clamd/log/clamd.sock"),
    ("clamd_queue", "MaxQueue set to: {remark}", "MaxQueue set to: 100"),
)

_NOTES: Final = (
    ("freshclam_directory", "Current working dir is {scan_file}", "Current working dir is /opt/lab/clamd/fc/"),
    ("freshclam_no_state", "Can't open freshclam.dat in {scan_file}", "Can't open freshclam.dat in /opt/lab/clamd/fc"),
    ("freshclam_first_run", "It probably doesn't exist yet. That's ok.", "It probably doesn't exist yet. That's ok."),
    (
        "freshclam_state_missing",
        "Failed to load freshclam.dat; {remark}",
        "Failed to load freshclam.dat; will create a new freshclam.dat",
    ),
    ("freshclam_state_new", "Creating new freshclam.dat", "Creating new freshclam.dat"),
    ("freshclam_state_saved", "Saved freshclam.dat", "Saved freshclam.dat"),
    ("freshclam_state_loaded", "Loaded freshclam.dat:", "Loaded freshclam.dat:"),
    ("freshclam_state_version", "  version: {remark}", "  version:    1"),
    ("freshclam_state_uuid", "  uuid: {remark}", "  uuid:       1f5e8957-0ba1-4643-be5e-145dea2754fa"),
    ("freshclam_dns", "{database} version from DNS: {remark}", "bytecode.cvd version from DNS: 2"),
    (
        "freshclam_check",
        "check_for_new_database_version: {remark}",
        'check_for_new_database_version: No local copy of "daily" database.',
    ),
    ("freshclam_update_step", "updatedb: {remark}", "updatedb: daily database update failed."),
    ("freshclam_gives_up", "Giving up on {remark}", "Giving up on http://127.0.0.1:2590..."),
    (
        "freshclam_update_failed",
        "Update failed for {remark}",
        "Update failed for custom database URL: http://127.0.0.1:2590/eicar.ndb",
    ),
    ("freshclam_signal", "Received signal: {remark}", "Received signal: wake up"),
    ("freshclam_ended", "Update process terminated", "Update process terminated"),
    ("freshclam_separator", "--------------------------------------", "--------------------------------------"),
)

_STEPS: Final = (
    ("freshclam_patch", "cdiff_apply: {remark}", "cdiff_apply: Parsed 17 lines and executed 17 commands"),
    ("freshclam_retrieving", "Retrieving {remark}", "Retrieving http://database.clamav.net/daily-10574.cdiff"),
    (
        "freshclam_trying",
        "Trying to {remark}",
        "Trying to download http://database.clamav.net/daily-10574.cdiff (IP: 130.59.10.36)",
    ),
    ("freshclam_downloading", "Downloading {remark}", "Downloading daily-10574.cdiff [100%]g daily-10574.cdiff [ 13%]"),
    (
        "freshclam_testing",
        "Testing database: {remark}",
        "Testing database: '/opt/lab/clamd/fc/tmp.b2d/c.tmp-eicar.ndb' ...",
    ),
    ("freshclam_test_passed", "Database test passed.", "Database test passed."),
)

CLAMAV_FORMS: Final = (
    Form(
        "clamd_scan_found",
        "{scan_path}: {signature}«({digest}:{scanned_bytes})» FOUND",
        "clamd found a signature.",
        "ClamAV clamd/scanner.c; digest and size with ExtendedDetectionInfo only",
        program="clamd",
        example="instream(local): Oracle.Eicar-Test-Signature.UNOFFICIAL(58524d3ef7232fbcde20eeea114da519:555) FOUND",
    ),
    Form(
        "clamd_scan_ok",
        "{scan_path}: OK",
        "clamd found nothing (logged with LogClean only).",
        "ClamAV clamd/scanner.c",
        program="clamd",
        example="/var/indimail/queue/queue2/mess/16/660188: OK",
    ),
    Form(
        "clamd_scan_error",
        "{failed_path}: {remark} ERROR",
        "clamd could not scan it: nobody knows whether it is clean.",
        "ClamAV clamd/scanner.c",
        program="clamd",
        implied={"severity": b"error"},
    ),
    Form(
        "clamd_path_check",
        "WARNING: File path check failure on: {scan_path}",
        "clamd may not read this file: nobody knows whether it is clean.",
        _RECORDED,
        kind="clamd_scan_error",
        program="clamd",
        example="WARNING: File path check failure on: /nonexist",
        implied={"severity": b"warning"},
    ),
    Form(
        "clamd_started",
        "+++ Started at {remark}",
        "clamd starts.",
        _RECORDED,
        program="clamd",
        example="+++ Started at Sun Nov 22 14:13:28 2026",
    ),
    Form("clamd_stopped", "--- Stopped at {remark}", "clamd stopped.", "ClamAV clamd/clamd.c", program="clamd"),
    *(
        Form(name, template, "clamd stops.", _TRIED, kind="clamd_stopping", program="clamd", example=template)
        for name, template in _STOPPING
    ),
    Form(
        "clamd_reload_error",
        "ERROR: reload_th: Database load failed: {remark}",
        "clamd could not read its new signatures, and says why.",
        _TRIED,
        kind="clamd_reload_failed",
        program="clamd",
        example="ERROR: reload_th: Database load failed: Malformed database",
        implied={"severity": b"error"},
    ),
    Form(
        "clamd_reload_failed",
        "WARNING: Database reload failed, keeping the previous instance",
        "clamd goes on with its old signatures; whoever asked for the reload was told RELOADING.",
        _TRIED,
        program="clamd",
        example="WARNING: Database reload failed, keeping the previous instance",
        implied={"severity": b"warning"},
    ),
    Form(
        "clamd_reload_completed",
        "Database reload completed.",
        "clamd has new signatures (logged with ConcurrentDatabaseReload no).",
        _TRIED,
        kind="clamd_database",
        program="clamd",
        example="Database reload completed.",
    ),
    Form(
        "clamd_version",
        "clamd daemon {remark}",
        "Which clamd this is.",
        _RECORDED,
        kind="clamd_started",
        program="clamd",
        example="clamd daemon 1.4.6 (OS: Linux, ARCH: x86_64, CPU: x86_64)",
    ),
    Form(
        "clamd_listening",
        "Listening daemon: PID: {pid}",
        "clamd answers from now on.",
        _RECORDED,
        program="clamd",
        example="Listening daemon: PID: 5788",
    ),
    Form(
        "clamd_reading",
        "Reading databases from {scan_file}",
        "clamd reads its signatures.",
        _RECORDED,
        kind="clamd_database",
        program="clamd",
        example="Reading databases from /var/indimail/share/clamd",
    ),
    Form(
        "clamd_loaded",
        "Loaded {signature_count} signatures.",
        "clamd has its signatures.",
        _RECORDED,
        kind="clamd_database",
        program="clamd",
        example="Loaded 2 signatures.",
    ),
    Form(
        "clamd_reloaded",
        "Database correctly reloaded ({signature_count} signatures)",
        "clamd has new signatures.",
        _RECORDED,
        kind="clamd_database",
        program="clamd",
        example="Database correctly reloaded (728651 signatures)",
    ),
    Form(
        "clamd_activating",
        "Activating the newly loaded database...",
        "clamd uses its new signatures from now on.",
        _RECORDED,
        kind="clamd_database",
        program="clamd",
        example="Activating the newly loaded database...",
    ),
    Form(
        "clamd_forced_reload",
        "No stats for Database check - forcing reload",
        "clamd reads its signatures again, because it cannot tell whether they changed.",
        _SEED,
        kind="clamd_database",
        program="clamd",
        example="No stats for Database check - forcing reload",
    ),
    Form(
        "clamd_self_check",
        "SelfCheck: {remark}",
        "clamd looked whether its signatures changed.",
        _RECORDED,
        kind="clamd_database",
        program="clamd",
        example="SelfCheck: Database status OK.",
    ),
    *(
        Form(name, template, "clamd's settings.", _RECORDED, kind="clamd_setting", program="clamd", example=example)
        for name, template, example in _SETTINGS
    ),
    Form(
        "freshclam_started",
        "ClamAV update process started at {remark}",
        "freshclam looks for new signatures.",
        _FRESHCLAM,
        program="freshclam",
        example="ClamAV update process started at Sun Nov 22 14:28:51 2026",
    ),
    Form(
        "freshclam_updated",
        "{database} updated (version: {database_version}, sigs: {signature_count}«, f-level: {flevel}, builder:"
        " {builder}»)",
        "One database is new.",
        _FRESHCLAM,
        program="freshclam",
        example="daily.cld updated (version: 10574, sigs: 24611, f-level: 44, builder: ccordes)",
    ),
    Form(
        "freshclam_up_to_date",
        "{database} {update_state} (version: {database_version}«, sigs: {signature_count}»«, f-level: {flevel}»«,"
        " builder: {builder}»)",
        "One database was current already.",
        _FRESHCLAM,
        program="freshclam",
        example="bytecode.cvd is up to date (version: 2, sigs: 2, f-level: 44, builder: nervous)",
    ),
    Form(
        "freshclam_total",
        "Database updated ({signature_count} signatures) from {remark}",
        "All databases are current.",
        _SEED,
        kind="freshclam_updated",
        program="freshclam",
        example="Database updated (729340 signatures) from database.clamav.net (IP: 130.59.10.36)",
    ),
    Form(
        "freshclam_notified",
        "Clamd successfully notified about the update.",
        "clamd was told to read its signatures again.",
        "recorded log freshclam-custom.log",
        program="freshclam",
        example="Clamd successfully notified about the update.",
    ),
    *(
        Form(
            name,
            template,
            "A step of an update.",
            _FRESHCLAM,
            kind="freshclam_step",
            program="freshclam",
            example=example,
        )
        for name, template, example in _STEPS
    ),
    *(
        Form(
            name,
            template,
            "A remark of freshclam.",
            _FRESHCLAM,
            kind="freshclam_note",
            program="freshclam",
            example=example,
        )
        for name, template, example in _NOTES
    ),
    Form(
        "clamav_warning",
        "WARNING: {remark}",
        "clamd or freshclam warns.",
        _FRESHCLAM,
        program="clamav",
        example="WARNING: DNS Update Info disabled. Falling back to HTTP mode.",
        implied={"severity": b"warning"},
    ),
    Form(
        "clamav_error",
        "ERROR: {remark}",
        'clamd or freshclam failed at something; after "Download failed" a second entry may follow on the same line.',
        _FRESHCLAM,
        program="clamav",
        example="ERROR: Update failed.",
        implied={"severity": b"error"},
    ),
)
"""Forms of the scanner and of its update, in the order of trial."""
