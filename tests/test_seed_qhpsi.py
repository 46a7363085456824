"""The post of 2010 on virus scanning: each command of it is in notebook 02, and does in the lab what the post says."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import nbformat
import pytest

from indimail_kit import qhpsi
from indimail_kit.control import parse_rules, read_envdir
from indimail_kit.delivery.vfilter import parse_command
from indimail_kit.errors import RulesError
from indimail_kit.lab import Lab, Services
from indimail_kit.logs.log import read

NOTEBOOK: Final = Path(__file__).parent.parent / "notebooks" / "02_qhpsi.ipynb"

SEED_RULE: Final = ":allow,QHPSI=’/usr/bin/clamdscan %s --quiet --no-summary’"
"""As the web page prints it, with typographic quotes."""

SEED_FILTER: Final = '/usr/bin/vcfilter -i -t virusFilter -c 0 -k "virus found" -f Quarantine -b 0 -h 28 prefilt@$1'

COMMANDS: Final = {
    SEED_RULE: "parse_rules(rule)",
    "# echo /usr/bin/clamdscan %s --quiet --no-summary > /service/qmail-smtpd.25/variables/QHPSI": (
        'lab.set_variable("QHPSI", scanner)'
    ),
    "# rm /service/freshclam/down /service/clamd/down": 'services.remove_down("freshclam", "clamd")',
    "# /usr/bin/svc -u /service/clamd /service/freshclam": 'services.svc("-u", "clamd", "freshclam")',
    "tail -f /var/log/indimail/freshclam/current": "services.log_lines(name)",
    "cat /var/log/indimail/clamd/current": "services.log_lines(name)",
    "# echo 1 > /service/qmail.smtpd/variables/REJECTVIRUS": 'lab.set_variable("REJECTVIRUS", "1")',
    "# svc -d /service/qmail-smtpd.25": 'lab.svc("-d", "qmail-smtpd.25")',
    "# svc -u /service/qmail-smtpd.25": 'lab.svc("-u", "qmail-smtpd.25")',
    SEED_FILTER: "vfilter.parse_command(line)",
    "X-QHPSI: clean": "by_rule.header",
    "X-QHPSI: virus found": "marked.header",
}
"""Every command and header of the post, letter for letter -> the call of the notebook that does the same."""


def sources(kind: str) -> str:
    """Return all cells of a kind as one text."""
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == kind)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_notebook_has_each_command(command):
    """The post's line stands in the text, and the call that does the same stands in a cell."""
    assert (command in sources("markdown"), COMMANDS[command] in sources("code")) == (True, True)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Run a lab."""
    with Lab(seed=1) as one:
        yield one


def test_method_1_scans(lab):
    """A rule of tcp.smtp with the lab's scanner, and no file QHPSI: the mail gets its header."""
    scanner, tcp_smtp = lab.variable("QHPSI"), lab.directory / "control" / "tcp.smtp"
    before = tcp_smtp.read_text()
    lab.set_variable("QHPSI", None)
    bare = lab.send()
    tcp_smtp.write_text(SEED_RULE.replace("’", "'").replace("/usr/bin/clamdscan %s --quiet --no-summary", scanner))
    scanned = lab.send()
    tcp_smtp.write_text(before)
    lab.set_variable("QHPSI", scanner)

    assert (bare.header, scanned.header) == ("", "X-QHPSI: clean")


def test_method_1_does_not_compile_as_the_page_prints_it():
    """Typographic quotes: tcprules exits with 100; with straight ones the rule is for everybody."""
    with pytest.raises(RulesError) as caught:
        parse_rules(SEED_RULE)

    assert (caught.value.exit_code, parse_rules(SEED_RULE.replace("’", "'")).find("192.0.2.1").environment) == (
        100,
        {"QHPSI": "/usr/bin/clamdscan %s --quiet --no-summary"},
    )


def test_method_2_writes_what_echo_writes(lab):
    """The file holds the post's value and a line end, and envdir reads the value."""
    scanner, directory = lab.variable("QHPSI"), lab.directory / "service" / "qmail-smtpd.25" / "variables"
    lab.set_variable("QHPSI", "/usr/bin/clamdscan %s --quiet --no-summary")
    octets = (directory / "QHPSI").read_bytes()
    value = read_envdir(directory).environment["QHPSI"]
    lab.set_variable("QHPSI", scanner)

    assert (octets, value) == (
        b"/usr/bin/clamdscan %s --quiet --no-summary\n",
        "/usr/bin/clamdscan %s --quiet --no-summary",
    )


@pytest.mark.skipif(
    os.environ.get("CI") != "true" and not (shutil.which("svscan") and shutil.which("freshclam")),
    reason="daemontools or freshclam is not installed",
)
def test_the_services_come_up_and_write_their_logs():
    """Rm down alone starts nothing; svc -u does; both logs have TAI64N labels and lines that are understood."""
    with Services() as services:
        services.remove_down("freshclam", "clamd")
        after_rm = services.status("clamd").state
        services.svc("-u", "clamd", "freshclam")
        services.wait_until("clamd", "up")
        services.client.scan_stream(qhpsi.eicar())
        log = services.wait_for_log("clamd", "clamd_scan_found")

        assert (after_rm, services.status("clamd").state, log.kinds["unknown"], log.kinds["clamd_scan_found"]) == (
            "down",
            "up",
            0,
            1,
        )


def test_the_posts_own_log_lines_are_understood():
    """The 660188 of the post, and both its logs, in the form of 2010."""
    lines = (
        b"@400000004b9da034170f6394 cdiff_apply: Parsed 17 lines and executed 17 commands",
        b"@400000004b9da03417103e54 Retrieving http://database.clamav.net/daily-10574.cdiff",
        b"@400000004b9da03510c3485c daily.cld updated (version: 10574, sigs: 24611, f-level: 44, builder: ccordes)",
        b"@400000004b9da03510c82e44 Database updated (729340 signatures) from database.clamav.net (IP: 130.59.10.36)",
        b"@400000004b9da0260d6c1a94 Limits: Global size limit set to 104857600 bytes.",
        b"@400000004b9da0260e7ae6cc Self checking every 600 seconds.",
        b"@400000004b9da2a3116a177c No stats for Database check - forcing reload",
        b"@400000004b9da2a7061e372c /var/indimail/queue/queue2/mess/16/660188: OK",
    )

    assert read(b"\n".join(lines) + b"\n").kinds["unknown"] == 0


def test_virus_found_is_written_with_a_capital_letter(lab):
    """The post prints "virus found"; the program writes "Virus found"; a clean mail has what the post prints."""
    headers = [lab.send(attach=attach, reject_virus=0).header for attach in ("none", "eicar")]

    assert headers == ["X-QHPSI: clean", "X-QHPSI: Virus found"]


def test_reject_by_rejectvirus_1_and_a_restart(lab):
    """Echo 1, svc -d, svc -u: down nobody is taken, up again the virus is refused with 554."""
    lab.set_variable("REJECTVIRUS", "1")
    lab.svc("-d", "qmail-smtpd.25")
    down = lab.send(attach="eicar").smtp_reply
    lab.svc("-u", "qmail-smtpd.25")
    up = lab.send(attach="eicar").smtp_reply

    assert (down, up) == ("", "554 qq message contains virus (#5.7.1)")


def test_the_filter_moves_infected_mail_to_quarantine(lab):
    """The lab has the post's rule, with its domain in place of $1; an infected mail lands in the folder."""
    rule = parse_command(SEED_FILTER.replace("$1", "example.com")).rule
    journey = lab.send(attach="eicar", reject_virus=0)

    # In the table the rule has a number, which vcfilter gives it.
    assert (journey.folder, replace(journey.arrival.rule, filter_no=0)) == (rule.destination, rule)
