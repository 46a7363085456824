"""Lesson 02, exercises about the setting: the words of QHPSI, a rule of tcp.smtp.

Source: the seed text, method 1; IndiMail qmail-queue.c `qhpsiprog()`, tcprules.c.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Final

from indimail_kit.control.tcprules import NO_COLON, Rules, parse_rules
from indimail_kit.course.answers import as_text, kind_of
from indimail_kit.course.exercise import Drawn, Exercise
from indimail_kit.course.feedback import Grade
from indimail_kit.course.judging import as_lines, first_mistake, judge_text, text_of
from indimail_kit.course.words import NAMES
from indimail_kit.errors import RulesError
from indimail_kit.qhpsi.config import QhpsiConfig
from indimail_kit.qhpsi.makeargs import build_argv

SPLIT: Final = 151
"""conf-split of IndiMail: how many directories share the mess files."""

SEED_QHPSI: Final = "/usr/bin/clamdscan %s --quiet --no-summary"
"""The seed's scanner."""

COMMANDS: Final = (
    SEED_QHPSI,
    "/usr/bin/clamdscan --fdpass --quiet %s",
    "/usr/bin/clamdscan --fdpass %s --quiet --no-summary",
    "/usr/bin/clamdscan -c /etc/clamav/clamd.conf --fdpass --quiet %s",
)
"""Scanners that an administrator may want."""

NETWORKS: Final = ("192.0.2.", "198.51.100.", "203.0.113.")
"""Networks for documentation. Source: RFC 5737."""


def draw_mess(rng: random.Random) -> tuple[int, str]:
    """Return a message number and the name of its mess file, as qmail-queue gives it."""
    number = rng.randrange(100_000, 999_000)
    return number, f"mess/{number % SPLIT}/{number}"


# --- 02.1: the words of QHPSI -----------------------------------------------------------------------------------


def _draw_argv(rng: random.Random) -> Drawn:
    number, mess = draw_mess(rng)
    config = f"/etc/clamav/{rng.choice(NAMES)} lab.conf"
    options = rng.sample(("--fdpass", "--quiet", "--no-summary", "--infected"), 2)
    setting = f'/usr/bin/clamdscan -c "{config}" %s {" ".join(options)}'
    right = build_argv(setting, mess, {})
    torn = setting.replace("%s", mess).split()
    plain = "The quotes are still there. makeargs takes them off: they only keep the blank inside of one word."
    traps = {
        (*right[:3], "%s", *options): "`%s` is still there: qmail-queue puts the name of the mess file in its place.",
        tuple(word.strip('"') for word in torn): "One word is torn at its blank. The quotes hold it together.",
        tuple(torn): "One word is torn at its blank: quotes at the beginning of a word hold it together.",
        (right[0], "-c", f'"{config}"', mess, *options): plain,
        tuple(right[1:]): "The first word is missing: argv begins with the program itself.",
        (*right, mess): "The file name is there twice. It comes in the place of `%s`, and is added at the end only if"
        " QHPSI has one word.",
        (*right[:3], *options, mess): "The file name stands where `%s` stood, not at the end.",
        (*right[:3], *options): "The scanner gets no file name here. It comes in the place of `%s`.",
        (*right[:3], f"/var/indimail/queue/queue1/{mess}", *options): "The scanner starts in the queue's directory, so"
        " the name is relative: it begins with mess/.",
        (*right[:3], str(number), *options): "The file name has its directories: mess, the number modulo 151, the"
        " number.",
        (setting,): "This is QHPSI as it stands. execve takes a list of words, and `%s` has become a file name.",
        (setting.replace("%s", mess),): "This is one text. Which words does it fall into? A list is wanted.",
    }
    return Drawn(
        given={"QHPSI": setting, "mess file": mess},
        right="\n".join(right),
        traps={"\n".join(words): sentence for words, sentence in traps.items()},
    )


def _otherwise_argv(text: str) -> str:
    words = text.split("\n")
    if words[0] != "/usr/bin/clamdscan":
        return "The first word is the program, as QHPSI begins."
    if len(words) != 6:
        return f"There are {len(words)} words; six are wanted. White space parts them, but not between quotes."
    return "Six words, but not these. Write each as it stands in QHPSI, without quotes, and the file name for `%s`."


def _judge_argv(drawn: Drawn, answer: object) -> str | None:
    lines = as_lines(answer)
    if as_text(lines) is None:
        return f'A list of words is wanted, as ["one", "two"]; this is {kind_of(answer)}, or not only of texts.'
    return judge_text(_otherwise_argv, drawn, lines)


ARGV: Final = Exercise(
    number="02.1",
    grade=Grade.REPEAT,
    title="the words of QHPSI",
    goal="qmail-queue runs no shell: it cuts QHPSI into words and starts the first one. Which words does the scanner"
    " get for this mess file? Write a list of texts.",
    reason="Right. No shell has seen the text, so nothing in it can be expanded or run; and the file name is a word of"
    " its own, whatever stands in it.",
    way="qhpsi.build_argv(QHPSI, mess_file, {}): words end at white space, quotes at the beginning of a word hold it"
    " together, a word that begins with %s becomes the file name.",
    hints=(
        "Count the words: white space parts them, but not between the quotes.",
        "The quotes vanish, and the word `%s` becomes the name of the mess file, where it stands.",
        'kit.qhpsi.build_argv(task["QHPSI"], task["mess file"], {}).',
    ),
    draw=_draw_argv,
    solve=lambda given: build_argv(text_of(given, "QHPSI"), text_of(given, "mess file"), {}),
    judge=_judge_argv,
)

# --- 02.2: a rule of tcp.smtp -----------------------------------------------------------------------------------

_FAR: Final = "10.11.12.13"
"""A client of none of the networks."""

_STEP: Final = 9
"""Every so many hosts of the network are tried, besides those in and around the range."""

RULE_MISTAKES: Final = {
    "curly": "There is a typographic quote, ’ or “, as web pages print them. tcprules takes its first octet for the"
    " quote and then stops: exit code 100. Type ' or \".",
    "no quote": "tcprules exits with 100: the first character behind = is the quote, whatever it is, and the value"
    ' ends where it comes again. Put the value between two ".',
    "no colon": "tcprules exits with 111: a line without a colon, or of blanks only.",
    "no action": "One line has no :allow and no :deny. tcprules drops it without a word, and nobody is scanned by it.",
    "slash": "tcprules knows no /24: it stores the text as it stands, and no client has that address. A network ends"
    " with a dot.",
    "no dot": "The network has no dot at its end, so it is looked up as a whole address, which nobody has.",
    "blank": "A blank behind the comma belongs to the name: the variable is then called ` QHPSI`, and nobody reads it.",
    "empty": "QHPSI is empty for somebody. Empty is set: qmail-queue finds no program and answers 451 to every mail."
    " `!QHPSI` unsets it.",
    "not scanned": "A client of the network is not scanned. Does a rule for it set QHPSI?",
    "other command": "The network is scanned, but not with the command of the task. Copy it as it stands.",
    "no reject": "The network is scanned, but an infected mail is accepted and marked: REJECTVIRUS is 0 or not set.",
    "swallow": "With REJECTVIRUS 2 an infected mail is thrown away and the client hears 250. Refusing is 1.",
    "exempt scanned": "A host that shall not be scanned is scanned. The longest address wins, wherever it stands in"
    " the file: it needs a rule of its own.",
    "too wide": "A host beside the range is not scanned, so the range is too wide.",
    "all scanned": "A client of another network is scanned. The rule with an empty address is for everybody.",
    "denied": "Somebody is denied who shall be let in. deny closes the connection before a word is said.",
}
"""Mistake -> its sentence."""


def _wanted(given: Mapping[str, object]) -> tuple[str, int, int, str]:
    """Return network, first and last host of the exempt range, and command."""
    low, high = text_of(given, "not scanned").removeprefix(network := text_of(given, "network")).split("-")
    return network, int(low), int(high), text_of(given, "QHPSI")


def _rule_text(network: str, low: int, high: int, command: str) -> str:
    return f'{network}{low}-{high}:allow\n{network}:allow,QHPSI="{command}",REJECTVIRUS="1"\n:allow\n'


def _draw_rule(rng: random.Random) -> Drawn:
    network, low, command = rng.choice(NETWORKS), rng.randrange(20, 200), rng.choice(COMMANDS)
    high = low + rng.randrange(5, 12)
    right = _rule_text(network, low, high, command)
    scan, bare = f'{network}:allow,QHPSI="{command}",REJECTVIRUS="1"\n', network.rstrip(".")
    exempt = f"{network}{low}-{high}:allow\n"
    wrong = {
        right.replace('"', "’"): "curly",
        right.replace('"', ""): "no quote",
        right.replace(":", " "): "no colon",
        exempt + "\n \n" + scan: "no colon",
        right.replace("allow,", ""): "no action",
        right.replace(f"{network}:", f"{network}0/24:"): "slash",
        right.replace(f"{network}:", f"{bare}:"): "no dot",
        right.replace(",Q", ", Q"): "blank",
        right.replace(f'"{command}"', '""'): "empty",
        f'{network}{low}-{high}:allow,QHPSI=""\n{scan}': "empty",
        exempt: "not scanned",
        right.replace("clamdscan", "clamscan"): "other command",
        right.replace(',REJECTVIRUS="1"', ""): "no reject",
        right.replace('"1"', '"yes"'): "no reject",
        right.replace('"1"', '"2"'): "swallow",
        scan: "exempt scanned",
        right.replace(f"-{high}:", f"-{high - 1}:"): "exempt scanned",
        right.replace(f"-{high}:", f"-{high + 1}:"): "too wide",
        right.replace(f"{network}{low}-", f"{network}{low - 1}-"): "too wide",
        exempt + scan + scan.removeprefix(network): "all scanned",
        right.replace(f"{high}:allow", f"{high}:deny"): "denied",
        exempt + scan + ":deny\n": "denied",
    }
    return Drawn(
        given={"network": network, "not scanned": f"{network}{low}-{high}", "QHPSI": command},
        right=right,
        traps={text: RULE_MISTAKES[mistake] for text, mistake in wrong.items()},
    )


def _judge_rule(drawn: Drawn, answer: object) -> str | None:
    text = as_text(as_lines(answer))
    if text is None:
        return f"A text is wanted here, the lines of tcp.smtp; this is {kind_of(answer)}, or it is far too long."
    if set(text) & set("‘’“”"):
        return RULE_MISTAKES["curly"]
    try:
        rules = parse_rules(text)
    except RulesError as error:
        mistake = RULE_MISTAKES["no colon" if error.exit_code == NO_COLON else "no quote"]
        is_ours = error.exit_code == NO_COLON or re.search(r"=[^\"']", text)
        return (
            mistake if is_ours else f"tcprules exits with 100 at line {error.line_number}: {error.expected} is wanted."
        )
    mistake_found = _mistake_in_rules(rules, *_wanted(drawn.given))
    return RULE_MISTAKES.get(mistake_found)


def _mistake_in_rules(rules: Rules, network: str, low: int, high: int, command: str) -> str:
    """Try clients; return the first mistake, "" for none."""
    keys = {record.key for record in rules.records}
    if rules.ignored:
        return "no action"
    if any(b"/" in key for key in keys):
        return "slash"
    if any(b"\0+ " in b"\0" + record.octets or b"\0- " in b"\0" + record.octets for record in rules.records):
        return "blank"
    hosts = {*range(low - 2, high + 3), *range(1, 255, _STEP), 254}
    inside = {f"{network}{host}" for host in hosts}
    exempt = {f"{network}{host}" for host in range(low, high + 1)}
    beside = {f"{network}{low - 1}", f"{network}{high + 1}"}
    found = {ip: rules.find(ip) for ip in (*sorted(inside), _FAR)}
    settings = {ip: QhpsiConfig.from_environ(match.environment) for ip, match in found.items()}
    unscanned = {ip for ip in inside - exempt if not settings[ip].is_enabled}
    rest = [settings[ip] for ip in inside - exempt - unscanned]
    return first_mistake(
        (
            ("denied", any(match.action == "deny" for match in found.values())),
            ("empty", any(one.command == "" for one in settings.values())),
            ("no dot", network.rstrip(".").encode() in keys and bool(unscanned)),
            ("too wide", bool(unscanned) and unscanned <= beside),
            ("not scanned", bool(unscanned)),
            ("other command", any(one.command != command for one in rest)),
            ("no reject", any(one.reject_virus == 0 for one in rest)),
            ("swallow", any(one.reject_virus == 2 for one in rest)),
            ("exempt scanned", any(settings[ip].is_enabled for ip in exempt)),
            ("all scanned", settings[_FAR].is_enabled),
        )
    )


RULE: Final = Exercise(
    number="02.2",
    grade=Grade.CHANGE,
    title="a rule of tcp.smtp",
    goal="Write tcp.smtp: mail from this network is scanned with this QHPSI, and refused if it is infected. A range of"
    " hosts in it is not scanned. Everybody else may connect, without a scan.",
    reason="Right: clients from all over the network were looked up in your rules, as tcpserver does it. The longest"
    " address wins, and the order of the lines does not matter.",
    way='Three lines: RANGE:allow, then NETWORK:allow,QHPSI="…",REJECTVIRUS="1", then :allow for everybody.',
    hints=(
        "One line for the range, one for the network, which ends with a dot, one for everybody.",
        'The form is ADDRESS:allow,NAME="value",NAME="value", without blanks. Which variable refuses?',
        (
            "The range without any variable; the network with QHPSI and REJECTVIRUS; :allow. Try it:"
            " kit.control.parse_rules(answer).find(ADDRESS)."
        ),
    ),
    draw=_draw_rule,
    solve=lambda given: _rule_text(*_wanted(given)),
    judge=_judge_rule,
)
