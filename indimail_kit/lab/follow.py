"""Hear what happens to one mail and turn it into the stations of its `Journey`.

Events come from several threads: the SMTP thread, a queue worker, qmail-send, the client. They are put in order by
a lock.

Rule 1: everything that becomes a RawBlock is redacted or harmless, see `shown`.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.lab.follow_delivery import delivered
from indimail_kit.lab.journey import STATION_KEYS, Journey, RawBlock, Station, StationState
from indimail_kit.lab.shown import as_text, dialogue
from indimail_kit.qhpsi.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from indimail_kit.delivery.send import SendEvent
    from indimail_kit.lab.session import Applied, SessionRecord
    from indimail_kit.mailqueue.enqueue import Queued, Step
    from indimail_kit.mailqueue.snapshot import MessageFiles
    from indimail_kit.qhpsi.scanning import ScanReport

LOG_TITLE: Final = "lines of qmail-smtpd"


class Follower:
    """Follows one mail.

    Attributes:
        is_over: Set when nothing more will happen to the mail.
    """

    def __init__(
        self,
        *,
        sender: str,
        recipient: str,
        mechanism: str,
        case: str,
        clock: Callable[[], int],
        commands: dict[str, str],
        on_station: Callable[[Station], None] | None,
        mail: bytes = b"",
        far: Callable[[str], tuple[RawBlock, ...]] = lambda _recipient: (),
    ) -> None:
        self.is_over = threading.Event()
        self._lock = threading.RLock()
        self._clock = clock
        self._commands = dict(commands)
        self._on_station = on_station
        self._sent = mail
        self._far = far
        self._started_ns = clock()
        self._record: SessionRecord | None = None
        self._files: MessageFiles | None = None
        self._log_lines: list[str] = []
        self._steps: list[str] = []
        self._bounce_qp = 0
        self._stations = {key: Station(key) for key in STATION_KEYS}
        self._journey = Journey(
            case=case,
            sender=sender,
            recipient=recipient,
            mechanism=mechanism,
            unix_ns=self._started_ns,
        )
        self._set("auth", StationState.WORKING, sentence="The client connects.")

    # -- outside -------------------------------------------------------------------------------------------------

    def attach(self, record: SessionRecord) -> None:
        """Listen to the session of this mail's client."""
        self._record = record
        record.listener = self.hear

    def hear(self, _unix_ns: int, name: str, value: Any) -> None:
        """Take one event; unknown names are of no interest to the stations."""
        handler = getattr(self, f"_on_{name}", None)
        if handler is not None:
            with self._lock:
                handler(value)

    def reply(self, stage: str, reply: str) -> None:
        """Hear from the client which reply it got to AUTH, MAIL, RCPT or DATA, and whether it goes on."""
        with self._lock:
            self._journey = replace(self._journey, smtp_reply=reply)
            if not reply.startswith("2"):
                self._refused(stage, reply)
            elif stage == "mail" and self._stations["auth"].state is StationState.WORKING:
                self._set("auth", StationState.SKIPPED, summary="none", sentence="The client did not log in.")
                self._set("rules", StationState.DONE)
                self._set("mess", StationState.WORKING, sentence="The client sends the mail.")
            elif self._journey.message_number == 0 and stage == "data":
                self._swallowed()

    def fail(self, sentence: str) -> None:
        """End the journey because the client or the lab broke down."""
        with self._lock:
            for key in STATION_KEYS:
                if self._stations[key].state in (StationState.WORKING, StationState.WAITING):
                    self._set(key, StationState.FAILED, summary="stopped", sentence=sentence)
                    break
            self._finish()

    def journey(self) -> Journey:
        """Return the journey as it stands."""
        with self._lock:
            stations = tuple(self._stations[key] for key in STATION_KEYS)
            return replace(self._journey, stations=stations, elapsed_ms=self._elapsed_ms())

    # -- events --------------------------------------------------------------------------------------------------

    def _on_log(self, line: bytes) -> None:
        text = line.decode("utf-8", "backslashreplace").rstrip("\n")
        self._journey = replace(self._journey, log_lines=(*self._journey.log_lines, text))

    def _on_rules(self, applied: Applied) -> None:
        self._journey = replace(self._journey, variables=tuple(sorted(applied.environment.items())))
        rule = applied.match.rule or ":"
        facts = [("rule", rule), ("action", applied.match.action)]
        interesting = ("QHPSI", "REJECTVIRUS", "VIRUSFORWARD", "QUARANTINE", "QUEUE_BASE", "QUEUE_COUNT", "RELAYCLIENT")
        facts += [
            (name, f"{applied.environment[name]}   ← {applied.origin[name]}")
            for name in interesting
            if name in applied.environment
        ]
        environment = "\n".join(
            f"{name}={value}   ← {applied.origin[name]}" for name, value in sorted(applied.environment.items())
        )
        self._stations["rules"] = replace(
            self._stations["rules"],
            summary="QHPSI" if "QHPSI" in applied.environment else "no QHPSI",
            sentence=f"Rule {rule!r} says {applied.match.action}; the environment tells qmail-queue what to do.",
            facts=tuple(facts),
            raw=(RawBlock("environment of qmail-smtpd", environment, command=self._commands.get("rules", "")),),
        )

    def _on_auth_start(self, mechanism: str) -> None:
        self._set("auth", StationState.WORKING, sentence=f"The server takes the client through {mechanism}.")

    def _on_auth(self, value: tuple[str, Any, Any]) -> None:
        mechanism, answer, result = value
        if result is not None and result.ok:
            facts = (("mechanism", mechanism), ("user", result.authcid), ("reply", answer.line))
            self._set(
                "auth",
                StationState.DONE,
                summary=str(answer.code),
                sentence=f"{result.authcid} is who they say.",
                facts=facts,
            )
            self._set("rules", StationState.DONE)
            self._set("mess", StationState.WORKING, sentence="The client sends the mail.")

    def _on_step(self, value: tuple[str, Step]) -> None:
        queue, step = value
        self._steps.append(f"{step.call:<9} {step.path}")
        if step.message_number and not self._journey.message_number and step.call in ("link", "unlink"):
            self._journey = replace(self._journey, queue=queue, message_number=step.message_number)

    def _on_scan_start(self, value: tuple[Path, int]) -> None:
        path, message_bytes = value
        self._journey = replace(self._journey, message_bytes=message_bytes)
        self._commands["scan"] = self._commands.get("scan", "").replace("%s", quote(str(path)))
        self._mess_done()
        self._set("scan", StationState.WORKING, sentence="The scanner reads the file.")

    def _mess_done(self) -> None:
        if self._stations["mess"].state is not StationState.DONE:
            number = self._journey.message_number
            summary = f"{number % 151}/{number}"
            sentence = f"The text is in {self._journey.queue}/mess/{summary}; the number is the file's inode."
            self._set("mess", StationState.DONE, summary=summary, sentence=sentence)

    def _on_scan(self, report: ScanReport) -> None:
        answer = report.answer
        self._journey = replace(self._journey, report=report)
        header = report.header.decode("utf-8", "backslashreplace").strip()
        if answer is None:
            self._set(
                "scan",
                StationState.SKIPPED,
                summary="skipped",
                sentence="The rules say: no scan for a mail of this size.",
            )
            return
        word = answer.verdict.words
        self._journey = replace(
            self._journey, verdict=answer.verdict.name, signature=answer.signature, header=header.split("\n")[0]
        )
        facts = [("verdict", word), ("scanner", answer.scanner), ("action", report.action.name)]
        facts += [("signature", answer.signature)] if answer.signature else []
        facts += [("header", header)] if header else []
        facts += [("reason", answer.reason)] if answer.reason else []
        facts.append(("time", f"{answer.elapsed_ns / 1e6:.1f} ms"))
        raw = (RawBlock("the scanner's own answer", as_text(answer.raw), command=self._commands.get("scan", "")),)
        is_good = answer.verdict in (Verdict.CLEAN, Verdict.INFECTED)
        sentence = {
            Verdict.CLEAN: "The scanner knows nothing bad of it.",
            Verdict.INFECTED: f"The scanner found {answer.signature}.",
        }.get(answer.verdict, f"The scanner gave no verdict: {answer.reason}.")
        self._set(
            "scan",
            StationState.DONE if is_good else StationState.FAILED,
            summary=word,
            sentence=sentence,
            facts=tuple(facts),
            raw=raw,
        )

    def _on_files(self, files: MessageFiles) -> None:
        self._files = files
        self._mess_done()
        if self._stations["scan"].state is StationState.WAITING:
            self._set(
                "scan",
                StationState.SKIPPED,
                summary="off",
                sentence="No QHPSI in the environment: nobody looked at it.",
            )
        for key, kinds in (("mess", ("mess",)), ("todo", ("intd", "todo"))):
            shown = [file for file in files.files if file.kind in kinds]
            facts = tuple(
                (file.path, f"inode {file.inode} · {file.links} link{'s' * (file.links != 1)} · {file.size_bytes} B")
                for file in shown
            )
            command = self._commands.get(key, "").replace("{path}", f"{files.queue}/{shown[0].path}") if shown else ""
            raw = tuple(
                RawBlock(f"{files.queue}/{file.path}", as_text(file.content), path=file.path, command=command)
                for file in shown[-1:]
            )
            self._stations[key] = replace(self._stations[key], facts=facts, raw=raw)
        self._tell("mess")
        self._set(
            "todo",
            StationState.DONE,
            summary="u p F T e",
            sentence="intd and todo are one file with two names: the mail is queued.",
        )

    def _on_queued(self, queued: Queued) -> None:
        self._journey = replace(self._journey, qp=queued.qp, message_bytes=queued.message_bytes)
        if queued.is_swallowed:
            self._journey = replace(self._journey, queue="", message_number=0, header="")
        elif self._stations["send"].state is StationState.WAITING:
            self._set("send", StationState.WORKING, sentence="qmail-send takes it from todo.")

    def _on_send(self, event: SendEvent) -> None:
        self._log_lines.append(event.line.decode("utf-8", "backslashreplace"))
        command = self._commands.get("send", "").replace("{number}", str(self._journey.message_number))
        raw = (RawBlock("lines of qmail-send", "\n".join(self._log_lines), command=command),)
        self._stations["send"] = replace(self._stations["send"], raw=raw)
        if event.kind == "delivery":
            self._delivered(event)
        elif event.kind == "bounce":
            self._bounce_qp = event.qp
            self._journey = replace(self._journey, delivered_to=f"bounce to {event.recipient or self._journey.sender}")
        elif event.kind == "end_msg":
            is_ours = (event.queue, event.message_number) == (self._journey.queue, self._journey.message_number)
            if not is_ours or not self._bounce_qp:
                self._finish()

    def _delivered(self, event: SendEvent) -> None:
        far = self._far(event.recipient) if event.channel == "remote" else ()
        told = delivered(event, self._journey, self._sent, is_bounce=bool(self._bounce_qp), far=far)
        self._journey = told.journey
        for key, state, changes in told.stations:
            self._set(key, state, **changes)
        if told.is_over:
            self._finish()

    # -- ends ----------------------------------------------------------------------------------------------------

    def _refused(self, stage: str, reply: str) -> None:
        key = {"auth": "auth", "mail": "rules", "rcpt": "rules"}.get(stage, "mess")
        if stage == "data" and self._stations["scan"].state is not StationState.WAITING:
            key = "scan"
        sentence = f"The server refuses: {reply}"
        station = self._stations[key]
        summary = station.summary if key == "scan" else reply[:3]
        facts = (*station.facts, ("reply", reply))
        self._set(key, StationState.FAILED, summary=summary or reply[:3], sentence=sentence, facts=facts)
        self._journey = replace(self._journey, queue="", message_number=0, header="")
        self._skip_rest("The mail was refused; nothing is in the queue.")
        self._finish()

    def _swallowed(self) -> None:
        self._skip_rest("REJECTVIRUS=2: the client hears 250, the mail is gone.")
        self._set("inbox", StationState.SKIPPED, summary="swallowed")
        self._finish()

    def _skip_rest(self, sentence: str) -> None:
        for key in STATION_KEYS:
            if self._stations[key].state in (StationState.WAITING, StationState.WORKING):
                self._set(key, StationState.SKIPPED, summary="", sentence=sentence)

    def _finish(self) -> None:
        if self._record is not None:
            raw = (
                RawBlock(
                    "the SMTP dialogue, secrets masked",
                    dialogue(self._record.chunks),
                    command=self._commands.get("auth", ""),
                ),
            )
            self._stations["auth"] = replace(self._stations["auth"], raw=raw)
            command = self._commands.get("log", "").replace("{pid}", str(self._record.pid))
            logged = RawBlock(LOG_TITLE, "\n".join(self._journey.log_lines), command=command)
            rules = self._stations["rules"]
            self._stations["rules"] = replace(rules, raw=(*rules.raw, logged))
        self._stations["mess"] = replace(
            self._stations["mess"],
            raw=(
                *self._stations["mess"].raw,
                *([RawBlock("steps of qmail-queue", "\n".join(self._steps))] if self._steps else []),
            ),
        )
        for key in ("auth", "rules", "mess"):
            self._tell(key)
        self.is_over.set()

    def _set(self, key: str, state: StationState, **changes: Any) -> None:
        self._stations[key] = replace(self._stations[key], state=state, elapsed_ms=self._elapsed_ms(), **changes)
        self._tell(key)

    def _tell(self, key: str) -> None:
        if self._on_station is not None:
            self._on_station(self._stations[key])

    def _elapsed_ms(self) -> float:
        return (self._clock() - self._started_ns) / 1e6
