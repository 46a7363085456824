"""Lesson 02, exercises about the services: does this scan belong to this message; a service to repair.

Source: the seed text (method 2; its clamd line for 660188 is 73 s older than its ``new msg 660188``); envdir(8);
clamd(8), qmail-log(5).
"""

from __future__ import annotations

import ast
import random
from collections.abc import Mapping
from typing import Final, cast

from indimail_kit.control.envdir import decode_value
from indimail_kit.control.environment import Setting, combine, from_match
from indimail_kit.control.tcprules import parse_rules
from indimail_kit.course.answers import as_text, kind_of
from indimail_kit.course.exercise import Drawn, Exercise
from indimail_kit.course.feedback import Grade
from indimail_kit.course.judging import first_mistake, judge_choices, text_of
from indimail_kit.course.lesson_02_setting import COMMANDS, NETWORKS, draw_mess
from indimail_kit.course.words import draw_user
from indimail_kit.errors import RulesError
from indimail_kit.logs.engine import read_events
from indimail_kit.qhpsi.config import QhpsiConfig
from indimail_kit.qhpsi.decision import is_scanned
from indimail_kit.tai64 import to_tai64n

# --- 02.3: whose scan is it? ------------------------------------------------------------------------------------

LETTERS: Final = ("A", "B", "C")
NOBODY: Final = "none"
"""What is answered for a scan that belongs to no message of the log."""

_CLOSE_NS: Final = 10**9
"""A scan ends this long before its message's ``new msg``, at most, in these logs (unit: ns)."""

_NS: Final = 10**9


def _line(unix_ns: int, text: str) -> tuple[int, str]:
    """Return when a line was written, and the line."""
    return unix_ns, f"{to_tai64n(unix_ns).decode()} {text}"


def _life(rng: random.Random, start_ns: int, number: int, qp: int) -> list[tuple[int, str]]:
    """Return qmail-send's lines for one message that is delivered."""
    user, delivery = draw_user(rng), rng.randrange(1, 90)
    steps = (
        (0, f"new msg {number}"),
        (6, f"info msg {number}: bytes {rng.randrange(300, 1_000)} from {draw_user(rng)} qp {qp} uid 89"),
        (400, f"starting delivery {delivery}: msg {number} to local {user}"),
        (91_000, f"delivery {delivery}: success: did_1+0+0/"),
        (130_000, f"end msg {number}"),
    )
    return [_line(start_ns + after_us * 1_000, text) for after_us, text in steps]


def _draw_scans(rng: random.Random) -> Drawn:
    number, mess = draw_mess(rng)
    other = number + rng.randrange(1, 60)
    first, second, third = rng.sample(range(2_000, 10_000), 3)
    start_ns = rng.randrange(1_268_000_000, 1_290_000_000) * _NS + rng.randrange(_NS)
    times_ns = [
        start_ns,
        start_ns + rng.randrange(15 * _NS, 70 * _NS),
        start_ns + rng.randrange(90 * _NS, 170 * _NS),
    ]
    owners = rng.sample((str(first), str(second), NOBODY), 3)
    found = rng.randrange(3)
    path = f"/var/indimail/queue/queue2/{mess}"
    scans = [
        _line(when_ns, f"{path}: {'Eicar-Test FOUND' if at == found else 'OK'}") for at, when_ns in enumerate(times_ns)
    ]
    lines = _life(rng, start_ns + 8 * _NS, other, third)
    for when_ns, owner in zip(times_ns, owners, strict=True):
        if owner != NOBODY:
            lines += _life(rng, when_ns + rng.randrange(20, 400) * 1_000_000, number, int(owner))
    return Drawn(
        given={
            "clamd/current": "\n".join(text for _when_ns, text in scans),
            "deliver.25/current": "\n".join(text for _when_ns, text in sorted(lines)),
        },
        right=dict(zip(LETTERS, owners, strict=True)),
    )


def _messages(given: Mapping[str, object]) -> dict[str, tuple[int, int]]:
    """Return the messages of the log, qp -> number and time of ``info msg`` (unit: ns)."""
    events = read_events(text_of(given, "deliver.25/current").encode())
    return {
        str(event.qp): (event.message_number or 0, event.unix_ns or 0) for event in events if event.kind == "info_msg"
    }


def _scans(given: Mapping[str, object]) -> dict[str, tuple[int, int]]:
    """Return the scans, letter -> number and time (unit: ns)."""
    events = read_events(text_of(given, "clamd/current").encode())
    found = [(event.message_number or 0, event.unix_ns or 0) for event in events]
    return dict(zip(LETTERS, found, strict=True))


def _solve_scans(given: Mapping[str, object]) -> dict[str, str]:
    messages = _messages(given)
    return {
        letter: next(
            (
                qp
                for qp, (other, born_ns) in messages.items()
                if other == number and 0 <= born_ns - scanned_ns < _CLOSE_NS
            ),
            NOBODY,
        )
        for letter, (number, scanned_ns) in _scans(given).items()
    }


def _judge_scans(drawn: Drawn, answer: object) -> str | None:
    messages, scans = _messages(drawn.given), _scans(drawn.given)

    def not_this(letter: str, choice: str) -> str:
        number, scanned_ns = scans[letter]
        if choice == NOBODY:
            return "A message of this number begins less than a second after this scan. Compare the labels."
        other, born_ns = messages[choice]
        if other != number:
            return "That message has another number. The path of the scan ends with the number."
        if born_ns < scanned_ns:
            return "That message was there before this scan; a message is scanned before its `new msg`."
        return (
            f"Between this scan and that message's `new msg` lie {(born_ns - scanned_ns) // _NS} s. qmail-queue scans"
            " and queues at once: the number was used again."
        )

    return judge_choices(dict.fromkeys([*messages, NOBODY], ""), not_this, drawn, answer)


SCANS: Final = Exercise(
    number="02.3",
    grade=Grade.FIND_OUT,
    title="whose scan is it?",
    goal="A, B and C are the three lines of clamd's log, in their order. To which message of the other log does each"
    " belong? Answer with its qp, or with none: one of the scanned messages never came into the queue.",
    reason="Right. A message number is an inode number and is used again at once, so number and name prove nothing: a"
    " scan belongs to the `new msg` that follows within a moment. The seed's own two lines are 73 s apart.",
    way="Read both logs with their times. A scan's message has the same number and a `new msg` less than a second"
    " later; if there is none, it was never queued.",
    hints=(
        (
            "All three scans have the same number. What else do the lines have? The last digits of the labels count"
            " nanoseconds, in base 16."
        ),
        (
            'tai64.from_tai64n(label.encode()) gives nanoseconds; kit.logs.read(task["clamd/current"].encode()).events'
            " has a column of times."
        ),
        "For each scan look for a `new msg` of this number less than a second later. One scan has none.",
    ),
    draw=_draw_scans,
    solve=_solve_scans,
    judge=_judge_scans,
)

# --- 02.4: repair a service -------------------------------------------------------------------------------------

FOLDER: Final = "variables/"
RULES_FILE: Final = "tcp.smtp"
_OFF_RULE: Final = ':allow,RELAYCLIENT="",!QHPSI\n'

QHPSI_FAULTS: Final[Mapping[str, tuple[str, str]]] = {
    "no octets": ("QHPSI", ""),
    "blank first line": ("QHPSI", "\n{command}\n"),
    "comment": ("QHPSI", "# scan every mail\n{command}\n"),
    "dot": (".QHPSI", "{command}\n"),
    "lower case": ("qhpsi", "{command}\n"),
}
"""What is wrong with the file QHPSI -> its name and its text."""

OTHER_FAULTS: Final[Mapping[str, tuple[str, str]]] = {
    "fast": (FOLDER + "FASTQUEUE", "1\n"),
    "largest": (FOLDER + "QHPSIMAXSIZE", "1000\n"),
    "smallest": (FOLDER + "QHPSIMINSIZE", "100000\n"),
    "rule": (RULES_FILE, _OFF_RULE),
}
"""What else keeps the scan away -> file and text."""

REPAIR_MISTAKES: Final = {
    "not found": "There is no file QHPSI yet. envdir takes names as they are, small letters and capitals, and skips"
    " those that begin with a dot.",
    "no octets": "The file QHPSI has no octets, and envdir then unsets the variable. It wants a line.",
    "empty": "The first line of QHPSI is empty, and envdir reads the first line only: the variable is set to nothing,"
    " and every mail hears 451.",
    "other command": "QHPSI is set, but the first line of its file is not the command of the task.",
    "rule": "The directory is right now, but tcpserver applies tcp.smtp after it, and a rule there unsets QHPSI.",
    "fast": "FASTQUEUE is on: qmail-queue then scans nothing, whatever QHPSI says.",
    "size": "A limit of size keeps this message from the scanner. Compare it with the message's octets.",
    "reject": "The scan is right now, but REJECTVIRUS was 1 and is no longer. Leave what is in order.",
    "others": "The scan is right now, but another variable was lost. Leave what is in order.",
}
"""Mistake -> its sentence."""


def _draw_repair(rng: random.Random) -> Drawn:
    command, client = rng.choice(COMMANDS), f"{rng.choice(NETWORKS)}{rng.randrange(2, 250)}"
    name, text = QHPSI_FAULTS[rng.choice(tuple(QHPSI_FAULTS))]
    other, other_text = OTHER_FAULTS[rng.choice(tuple(OTHER_FAULTS))]
    files = {
        FOLDER + "MAXRECIPIENTS": f"{rng.randrange(20, 90)}\n",
        FOLDER + "REJECTVIRUS": "1\n",
        FOLDER + name: text.format(command=command),
        RULES_FILE: ':allow,RELAYCLIENT=""\n',
        other: other_text,
    }
    given = {"client": client, "message": f"{rng.randrange(2_000, 9_000)} octets", "QHPSI": command}
    given |= {name: repr(files[name]) for name in sorted(files)}
    return Drawn(given=given, right=_repair(given))


def _files(given: Mapping[str, object]) -> dict[str, str]:
    """Return the files of the task, name -> text."""
    names = [name for name in given if name.startswith(FOLDER) or name == RULES_FILE]
    return {name: cast("str", ast.literal_eval(text_of(given, name))) for name in names}


def _repair(given: Mapping[str, object]) -> dict[str, str | None]:
    """Return the changes that help, looking at each file as a person does."""
    changes: dict[str, str | None] = {FOLDER + "QHPSI": text_of(given, "QHPSI") + "\n"}
    changes |= {name: None for name, _text in OTHER_FAULTS.values() if name in given and name != RULES_FILE}
    rules = _files(given)[RULES_FILE]
    return changes | ({RULES_FILE: rules.replace(",!QHPSI", "")} if "!QHPSI" in rules else {})


def _judge_repair(drawn: Drawn, answer: object) -> str | None:
    if type(answer) is not dict or not answer:
        return f"A dictionary is wanted, file -> its new text, or None to remove it; this is {kind_of(answer)}."
    changes = cast("dict[object, object]", answer)
    names = [name for name in changes if type(name) is str and (name.startswith(FOLDER) or name == RULES_FILE)]
    texts = [as_text(text) for text in changes.values() if text is not None]
    if len(names) < len(changes) or None in texts:
        return f"Take the names as they stand, {FOLDER}NAME or {RULES_FILE}, with a text or None for each."
    files = _files(drawn.given) | {cast("str", name): as_text(text) for name, text in changes.items()}
    try:
        mistake = _mistake_in_service(drawn, {name: text for name, text in files.items() if text is not None})
    except RulesError as error:
        return f"tcprules refuses line {error.line_number} of your tcp.smtp: {error.expected} is wanted."
    return REPAIR_MISTAKES.get(mistake)


def _environment(files: Mapping[str, str], client: str) -> Mapping[str, str]:
    """Return what the service's environment is for a client: the directory first, then tcp.smtp."""
    names = {name.removeprefix(FOLDER): text for name, text in files.items() if name.startswith(FOLDER)}
    directory = [Setting(name, decode_value(text.encode()), name) for name, text in names.items() if name[:1] != "."]
    return combine(directory, from_match(parse_rules(files.get(RULES_FILE, "")).find(client))).environment


def _mistake_in_service(drawn: Drawn, files: Mapping[str, str]) -> str:
    """Return the first mistake that is left, "" for none."""
    given, before = drawn.given, _files(drawn.given)
    client, message_bytes = text_of(given, "client"), int(text_of(given, "message").split()[0])
    environ = _environment(files, client)
    alone = _environment({**files, RULES_FILE: ""}, client)
    config = QhpsiConfig.from_environ(environ)
    file = files.get(FOLDER + "QHPSI")
    kept = _environment({**before, RULES_FILE: before[RULES_FILE].replace(",!QHPSI", "")}, client)
    limits = ("FASTQUEUE", "QHPSIMAXSIZE", "QHPSIMINSIZE", "QHPSI", "REJECTVIRUS", "qhpsi")
    return first_mistake(
        (
            ("rule", "QHPSI" in alone and "QHPSI" not in environ),
            ("no octets", file == "" and "QHPSI" not in environ),
            ("not found", "QHPSI" not in environ),
            ("empty", config.command == ""),
            ("other command", config.command != text_of(given, "QHPSI")),
            ("fast", config.is_fast_queue),
            ("size", not is_scanned(config, message_bytes=message_bytes)),
            ("reject", config.reject_virus != 1),
            ("others", any(environ.get(name) != value for name, value in kept.items() if name not in limits)),
        )
    )


REPAIR: Final = Exercise(
    number="02.4",
    grade=Grade.CHANGE,
    title="repair the service",
    goal="This service shall scan the mail of this client with this QHPSI, and does not. Two things are wrong. Write a"
    " dictionary of changes, file -> its new text, or None to remove the file.",
    reason="Right: envdir read your directory, tcpserver your rules, and qmail-queue asks the scanner. The next"
    " connection sees it; nothing has to be started again.",
    way="Put the command into the first line of the file QHPSI, and remove what switches the scan off: FASTQUEUE, a"
    " limit of size, or !QHPSI in tcp.smtp.",
    hints=(
        "Ask of each file: which value does envdir make of it? Nothing at all unsets; only the first line counts.",
        "Then ask what may skip a scan although QHPSI is set: a rule, a size, FASTQUEUE.",
        '{"variables/QHPSI": task["QHPSI"] + "\\n", …: None}, with the second culprit in place of the dots.',
    ),
    draw=_draw_repair,
    solve=_repair,
    judge=_judge_repair,
)
