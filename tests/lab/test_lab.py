"""The whole journey: what a person sends comes out where it should, and what breaks on the way is said."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from indimail_kit.errors import LabError
from indimail_kit.lab import Lab, Station, StationState
from indimail_kit.lab.journey import STATION_KEYS
from indimail_kit.mailqueue import list_messages
from indimail_kit.mailqueue.layout import detect_layout


def queued_files(lab: Lab) -> list[str]:
    """Return every file that still waits in the lab's queues, lock/ left out.

    The mess file goes a moment after the line "end msg", as on a real host: it gets that moment.
    """
    kinds = ("pid", "mess", "intd", "todo", "info", "local", "remote", "bounce")
    deadline = time.monotonic() + 5
    while True:
        paths = [path for kind in kinds for path in lab.queue_base.glob(f"queue*/{kind}/**/*") if path.is_file()]
        if not paths or time.monotonic() > deadline:
            return [str(path.relative_to(lab.queue_base)) for path in paths]
        time.sleep(0.01)


def test_clean_mail_ends_in_the_inbox(lab: Lab) -> None:
    """Every station is done, the header says clean, and the queue is empty again (S1)."""
    journey = lab.send(body="Hello Bob")
    assert [station.state for station in journey.stations] == [StationState.DONE] * 7
    assert (journey.verdict, journey.header, journey.delivered_to) == (
        "CLEAN",
        "X-QHPSI: clean",
        "bob@example.com Inbox",
    )
    assert "Hello Bob" in journey.station("inbox").raw[0].text
    assert queued_files(lab) == []


def test_stations_light_up_in_order(lab: Lab) -> None:
    """A watcher hears each station begin before the next one ends."""
    heard: list[Station] = []
    lab.send(on_station=heard.append)
    first_done = [
        next(i for i, s in enumerate(heard) if s.key == key and s.state is StationState.DONE) for key in STATION_KEYS
    ]
    assert first_done == sorted(first_done)
    assert heard[0].key == "auth"
    assert heard[0].state is StationState.WORKING


def test_infected_mail_goes_to_quarantine(lab: Lab) -> None:
    """REJECTVIRUS 0: the mail is taken, marked, and the seed's filter puts it into Quarantine."""
    journey = lab.send(attach="eicar-zip", reject_virus=0)
    assert (journey.verdict, journey.header, journey.folder) == ("INFECTED", "X-QHPSI: Virus found", "Quarantine")
    assert "/.Quarantine/new/" in dict(journey.station("inbox").facts)["file"]


def test_infected_mail_is_refused(lab: Lab) -> None:
    """REJECTVIRUS 1: 554, and nothing is in the queue."""
    journey = lab.send(attach="eicar", reject_virus=1)
    lab.set_variable("REJECTVIRUS", "0")
    assert journey.smtp_reply == "554 qq message contains virus (#5.7.1)"
    assert queued_files(lab) == []


def test_infected_mail_is_swallowed(lab: Lab) -> None:
    """REJECTVIRUS 2: the client hears 250 and the mail is gone."""
    journey = lab.send(attach="eicar", reject_virus=2)
    lab.set_variable("REJECTVIRUS", "0")
    assert journey.smtp_reply.startswith("250 ok ")
    assert (journey.message_number, journey.delivered_to, queued_files(lab)) == (0, "", [])


def test_unknown_recipient_bounces_to_the_sender(lab: Lab) -> None:
    """The bounce is a mail of its own and ends in the sender's Inbox."""
    journey = lab.send(recipient="nobody@example.com")
    assert journey.delivered_to == "bounce to ann@example.com"
    assert journey.station("inbox").summary == "bounced"
    assert "no mailbox here by that name" in journey.station("inbox").raw[0].text


def test_mail_for_elsewhere_never_leaves_the_host(make_lab: Callable[..., Lab]) -> None:
    """The lab has no way out: the mail is deferred and says why."""
    journey = make_lab().send(recipient="friend@elsewhere.example")
    assert journey.delivered_to == "deferred"
    assert ("report", "CNAME_lookup_failed_temporarily._(#4.4.3)/") in journey.station("send").facts


@pytest.mark.parametrize("mechanism", ["CRAM-SHA256", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_every_mechanism_logs_in_and_refuses(lab: Lab, mechanism: str) -> None:
    """The lab's own client goes the whole way with each mechanism, and a wrong password gets 535."""
    assert lab.send(mechanism=mechanism).folder == "Inbox"
    assert lab.send(mechanism=mechanism, passwd="wrong").smtp_reply == "535 authorization failure (#5.7.8)"


def test_checkpassword_module_decides(make_lab: Callable[..., Lab], tmp_path: Path) -> None:
    """A module on fd 3 lets in whom it knows, whatever the user table says; nobody else."""
    module = tmp_path / "module"
    module.write_text('#!/bin/sh\nread -r fields <&3\ncase "$fields" in *letmein*) exit 0 ;; esac\nexit 1\n')
    module.chmod(0o755)
    lab = make_lab(checkpassword=[str(module)])
    assert lab.send(mechanism="PLAIN", passwd="letmein").folder == "Inbox"
    assert lab.send(mechanism="PLAIN", passwd="pass").smtp_reply == "535 authorization failure (#5.7.8)"


def test_mail_without_a_login_skips_auth_only(lab: Lab) -> None:
    """Who does not log in may still send to our own domain; the station says that nobody logged in."""
    journey = lab.send(mechanism="")
    states = [station.state for station in journey.stations]
    assert states == [StationState.SKIPPED] + [StationState.DONE] * 6
    assert journey.station("auth").sentence == "The client did not log in."


def test_command_of_the_scan_names_the_file(lab: Lab) -> None:
    """What the station gives to copy is complete."""
    command = lab.send().station("scan").raw[0].command
    assert "%s" not in command
    assert f"{lab.queue_base}/queue" in command


def test_stopped_scanner_means_nothing_is_queued(make_lab: Callable[..., Lab]) -> None:
    """No scanner, no verdict, no 250: 451 and an empty queue; after a restart mail flows again."""
    lab = make_lab()
    lab.stop_scanner()
    journey = lab.send()
    assert (journey.smtp_reply, journey.verdict) == ("451 qq unable to run QHPSI scanner (#4.3.0)", "ERROR")
    assert queued_files(lab) == []
    lab.start_scanner()
    assert lab.send().verdict == "CLEAN"


def test_no_qhpsi_means_no_scan_and_no_header(make_lab: Callable[..., Lab]) -> None:
    """Without QHPSI nobody looks at the mail, and the station says so."""
    lab = make_lab()
    lab.set_variable("QHPSI", None)
    journey = lab.send(attach="eicar")
    assert (journey.verdict, journey.header, journey.folder) == ("", "", "Inbox")
    assert journey.station("scan").state is StationState.SKIPPED


def test_qhpsi_from_tcp_smtp_as_in_the_seed(make_lab: Callable[..., Lab]) -> None:
    """The seed's first method: QHPSI in tcp.smtp; a rule wins over the variables directory."""
    lab = make_lab()
    (lab.directory / "control" / "tcp.smtp").write_text(":allow,QHPSI='/bin/false %s',QHPSIRC='1',REJECTVIRUS='1'\n")
    journey = lab.send()
    assert journey.smtp_reply == "554 qq message contains virus (#5.7.1)"
    assert ("REJECTVIRUS", "1   ← tcp.smtp rule : (line 1)") in journey.station("rules").facts


@pytest.mark.parametrize(
    ("qhpsi", "reply"),
    [
        ("/bin/true %s", "250"),
        ("/no/such/scanner %s", "451 qq unable to run QHPSI scanner (#4.3.0)"),
        ("/bin/sh -c 'kill -9 $$' %s", "451"),
        ("", "451 qq unable to run QHPSI scanner (#4.3.0)"),
    ],
    ids=["clean", "missing", "killed", "empty"],
)
def test_any_other_qhpsi_is_run_as_the_command_it_is(make_lab: Callable[..., Lab], qhpsi: str, reply: str) -> None:
    """The lab's short cut is for its own value only."""
    lab = make_lab()
    lab.set_variable("QHPSI", qhpsi)
    assert lab.send().smtp_reply.startswith(reply)


def test_default_qhpsi_works_in_a_terminal_too(make_lab: Callable[..., Lab], tmp_path: Path) -> None:
    """The value that the lab writes is a true command: run by hand it gives the scanner's exit codes."""
    from indimail_kit.qhpsi import eicar

    lab = make_lab()
    (tmp_path / "bad").write_bytes(eicar())
    (tmp_path / "good").write_bytes(b"nothing\n")
    value = (lab.directory / "service" / "qmail-smtpd.25" / "variables" / "QHPSI").read_text().strip()
    codes = {
        name: subprocess.run(value.replace("%s", str(tmp_path / name)).split(), capture_output=True).returncode
        for name in ("bad", "good")
    }
    assert codes == {"bad": 1, "good": 0}


def test_same_seed_makes_the_same_choices(make_lab: Callable[..., Lab]) -> None:
    """The queues are chosen alike in two labs with one seed."""
    chosen = []
    for _ in range(2):
        lab = make_lab(seed=7, queue_count=3)
        chosen.append([lab.send().queue for _ in range(6)])
    assert chosen[0] == chosen[1]
    assert len(set(chosen[0])) > 1


def test_log_reads_back_with_nothing_open_and_nothing_unknown(make_lab: Callable[..., Lab]) -> None:
    """The lines that the lab writes are lines that the kit knows, and every message in them has ended."""
    lab = make_lab()
    for recipient in ("bob@example.com", "nobody@example.com"):
        lab.send(recipient=recipient)
    log = lab.log()
    assert "unknown" not in set(log.events["kind"])
    assert not log.messages["is_open"].any()
    assert list(log.deliveries["outcome"]) == ["success", "failure", "success"]


def test_password_is_never_shown(make_lab: Callable[..., Lab], tmp_path: Path) -> None:
    """A canary password is in no repr, station, log or file of the lab, in no encoding."""
    import base64
    import hashlib

    canary = "kanarienvogel-4711"
    lab = make_lab(directory=tmp_path / "lab")
    shown: list[str] = []
    stations: list[Station] = []
    for mechanism in ("LOGIN", "PLAIN", "CRAM-MD5"):
        journey = lab.send(mechanism=mechanism, passwd=canary, on_station=stations.append)
        shown += [repr(journey), repr(journey.stations), repr(lab), repr(lab._parts.service.__dict__)]
    shown.append(repr(stations))
    shown += [path.read_bytes().decode("latin-1") for path in (tmp_path / "lab").rglob("*") if path.is_file()]
    text = "\n".join(shown)
    forms = {
        "raw": canary,
        "base64": base64.b64encode(canary.encode()).decode(),
        "plain": base64.b64encode(b"\0ann@example.com\0" + canary.encode()).decode(),
        "hex": canary.encode().hex(),
        "md5": hashlib.md5(canary.encode(), usedforsecurity=False).hexdigest(),
    }
    assert [name for name, form in forms.items() if form in text] == []


def test_busy_port_is_a_clear_error() -> None:
    """The message names the port and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            LabError, match=rf"port {port} on 127\.0\.0\.1 is used by another program; take another port"
        ):
            Lab(scanner="embedded", queue_count=1, port=port).start()


def test_every_socket_is_on_loopback(lab: Lab) -> None:
    """Nothing of the lab listens where another host could reach it."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    listening = [line.split()[1] for line in lines if line.split()[3] == "0A"]
    ours = [address for address in listening if int(address.split(":")[1], 16) == lab.port]
    assert [address.split(":")[0] for address in ours] == ["0100007F"]


def test_temporary_lab_leaves_nothing(make_lab: Callable[..., Lab]) -> None:
    """The directory goes with the lab; a second stop does nothing."""
    lab = make_lab()
    directory = lab.directory
    lab.stop()
    lab.stop()
    assert not directory.exists()


def test_kept_lab_starts_again_where_it_stopped(make_lab: Callable[..., Lab], tmp_path: Path) -> None:
    """A directory that was given stays; a mail that waited is still there and is tried again."""
    lab = make_lab(directory=tmp_path / "kept")
    lab.send(recipient="friend@elsewhere.example")
    lab.stop()
    waiting = list_messages(detect_layout(tmp_path / "kept" / "queue" / "queue1"))
    again = make_lab(directory=tmp_path / "kept")
    assert len(waiting) == 1
    assert again.send().folder == "Inbox"
    again.stop()
    assert list_messages(detect_layout(tmp_path / "kept" / "queue" / "queue1")) == waiting


def test_started_twice_is_a_clear_error(lab: Lab) -> None:
    """A running lab says so."""
    with pytest.raises(LabError, match="runs already"):
        lab.start()


def test_lab_that_never_ran_says_how_to_start_it() -> None:
    """Each question to a lab that does not run gets the same clear answer."""
    lab = Lab(scanner="embedded")
    assert repr(lab) == "<Lab, stopped>"
    for question in (lambda: lab.port, lambda: lab.directory, lab.send):
        with pytest.raises(LabError, match="with Lab"):
            question()


def test_read_only_queue_refuses_and_loses_nothing(make_lab: Callable[..., Lab]) -> None:
    """A queue that cannot be written answers 451; the mail stays with the client, and mail flows again afterwards."""
    lab = make_lab()
    pid = lab.queue_base / "queue1" / "pid"
    pid.rename(pid.with_name("pid.away"))
    journey = lab.send()
    assert journey.smtp_reply == "451 qq trouble with pid file (#4.3.0)"
    assert queued_files(lab) == []
    pid.with_name("pid.away").rename(pid)
    assert lab.send().folder == "Inbox"


def test_random_sessions_never_hang_or_break_the_server(make_lab: Callable[..., Lab], connect: Callable) -> None:
    """Two hundred clients that talk nonsense and hang up anywhere; the next mail goes through, no session is left."""
    lab = make_lab()
    rng = random.Random(4711)  # noqa: S311 - the same nonsense each time
    words = [
        *(b"EHLO x\r\n", b"MAIL FROM:<ann@example.com>\r\n", b"RCPT TO:<bob@example.com>\r\n", b"DATA\r\n", b".\r\n"),
        *(b"AUTH PLAIN\r\n", b"AUTH CRAM-MD5\r\n", b"*\r\n", b"=\r\n", b"\0\xff\r\n", b"x" * 500, b"\n", b"\r\n"),
        *(b"QUIT\r\n", b"RSET\r\n"),
    ]
    for _ in range(200):
        client = connect(lab)
        client.send(b"".join(rng.choices(words, k=rng.randrange(12))))
        client.close()
    assert lab.send().folder == "Inbox"
    deadline = time.monotonic() + 10
    while lab._parts.service._sessions and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not lab._parts.service._sessions
    assert lab._parts.service.faults == []


def test_lab_dies_with_its_owner(tmp_path: Path) -> None:
    """Kill the process without a word: no clamd and no listener is left behind."""
    code = (
        "import sys; from indimail_kit.lab import Lab; lab = Lab(queue_count=1, directory=sys.argv[1]).start(); "
        "print(lab.port, lab._scanner.daemon.pid if lab._scanner.daemon else 0, flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "lab")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port, clamd_pid = map(int, process.stdout.readline().split())
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()
    deadline = time.monotonic() + 10
    while clamd_pid and os.path.exists(f"/proc/{clamd_pid}") and time.monotonic() < deadline:  # noqa: PTH110
        time.sleep(0.02)
    assert not clamd_pid or not Path(f"/proc/{clamd_pid}").exists()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
