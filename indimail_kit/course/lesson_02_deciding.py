"""Lesson 02, exercises about the decision: what the client hears, a rule for the folder, why it was 451.

Source: IndiMail qmail-queue.c `qhpsiprog()`; vcfilter(1) and vcfilter.c, which count differently; the seed's rule.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import partial
from typing import Final

from indimail_kit.course.answers import as_text, kind_of
from indimail_kit.course.exercise import Drawn, Exercise
from indimail_kit.course.feedback import Grade
from indimail_kit.course.judging import first_mistake, judge_choices, text_of
from indimail_kit.course.lesson_02_setting import SEED_QHPSI, draw_mess
from indimail_kit.course.scan_cases import CAUSES, END_OF, ENDS, SETTINGS
from indimail_kit.course.words import NAMES
from indimail_kit.delivery.vfilter import (
    HEADERS,
    Comparision,
    FilterRule,
    VcfilterCommand,
    format_command,
    manual_header_number,
    parse_command,
)
from indimail_kit.delivery.vfilter_match import is_match
from indimail_kit.errors import FilterError
from indimail_kit.qhpsi.config import QhpsiConfig
from indimail_kit.qhpsi.decision import decide

LETTERS: Final = ("A", "B", "C")


def _listed(meanings: Mapping[str, str]) -> str:
    """Return a table of names and meanings, a line each."""
    width = max(map(len, meanings))
    return "\n".join(f"{name:<{width}}  {meaning}" for name, meaning in meanings.items())


# --- 02.6: what the client hears --------------------------------------------------------------------------------


def _draw_ends(rng: random.Random) -> Drawn:
    right: dict[str, str] = {}
    given: dict[str, object] = {}
    traps: dict[str, str] = {}
    for letter, setting in zip(LETTERS, rng.sample(SETTINGS, len(LETTERS)), strict=True):
        variables, size, scanner_rc = setting.make(rng)
        told = " ".join(f'{name}="{value}"' for name, value in variables.items())
        given[letter] = f"{told}  {size} octets, scanner ends with {scanner_rc}"
        right[letter] = _end(variables, size, scanner_rc)
        traps |= {f"{letter} {end}": setting.traps.get(end, setting.look) for end in ENDS if end != right[letter]}
    return Drawn(given={"QHPSI": SEED_QHPSI, **given, "ends": _listed(ENDS)}, right=right, traps=traps)


def _end(variables: Mapping[str, str], size: int, scanner_rc: int) -> str:
    config = QhpsiConfig.from_environ({"QHPSI": SEED_QHPSI, **variables})
    return END_OF[decide(config, message_bytes=size, scanner_rc=scanner_rc)]


def _solve_ends(given: Mapping[str, object]) -> dict[str, str]:
    ends = {}
    for letter in LETTERS:
        told, facts = text_of(given, letter).split("  ")
        variables = dict(word.replace('"', "").split("=") for word in told.split(" "))
        ends[letter] = _end(variables, int(facts.split()[0]), int(facts.split()[-1]))
    return ends


def _judge_ends(drawn: Drawn, answer: object) -> str | None:
    return judge_choices(ENDS, lambda letter, choice: drawn.traps[f"{letter} {choice}"], drawn, answer)


DECISION: Final = Exercise(
    number="02.6",
    grade=Grade.CHANGE,
    title="what the client hears",
    goal="Three settings, each with a message and the exit code that the scanner ends with, if it is asked. What"
    " happens? Answer with a dictionary, one of the ends for A, B and C.",
    reason="Right, all three. This is the whole decision, and it needs no scanner: variables, a size and an exit code.",
    way="kit.qhpsi.decide(QhpsiConfig.from_environ(variables), message_bytes=…, scanner_rc=…), then outcome(…).",
    hints=(
        "In this order: is it scanned at all? Is the exit code QHPSIRC (1)? Is it QHPSIRN (0)? Only then REJECTVIRUS.",
        "A number is read from the front; without digits it is 0. What is neither QHPSIRC nor QHPSIRN is 451.",
        "PolicyExplorer has the whole table; kit.qhpsi.decide gives one row of it as a value.",
    ),
    draw=_draw_ends,
    solve=_solve_ends,
    judge=_judge_ends,
)

# --- 02.7: a rule for the folder --------------------------------------------------------------------------------

MARKS: Final[Mapping[str, str]] = {
    "X-Spam-Status": "yes",
    "X-Bogosity": "spam, tests=bogofilter",
    "X-BitDefender-Spam": "yes (100)",
    "X-Quarantine": "virus suspected",
    "DKIM-Status": "bad signature",
}
"""Header whose number in vcfilter(1) is not the program's -> what it says on a mail to move."""

FOLDERS: Final = ("Quarantine", "Suspects", "Cellar", "Doubtful")

RULE_MISTAKES: Final = {
    "action": "A rule is added with -i; this command line does something else.",
    "shell": "`$1` is the argument of a script that nobody has started here. Write the domain of the task.",
    "user": "This rule is one user's own. The rule for everybody in a domain, before their own, belongs to prefilt@.",
    "postfilt": "postfilt@ comes after the users' own rules, and only if they have some. Take prefilt@.",
    "domain": "This is another domain than the one of the task.",
    "manual": "That number is from the manual, which names X-Mailer twice and is one too high from 30 on. The program"
    " counts from 0: HEADERS.index(…).",
    "header": "This is another header. Its number counts from 0; its exact name can stand in place of the number.",
    "address book": "Comparison 5 looks at To, CC and Bcc in the program; in the manual everything from 5 on is one"
    " too high.",
    "misses": "The mail of the task is not moved. Look at the keyword and at how it is compared.",
    "too much": "A mail without this mark is moved, too. Look at the keyword and at how it is compared.",
    "folder": "The mail goes to another folder than the one of the task.",
    "no deliver": "/NoDeliver throws the mail away. It shall be kept, in the folder.",
    "bounce": "A bounce or a copy goes out. With -b 0 nobody is told: a virus lies about its sender.",
    "bare keyword": "The keyword has a blank and no quotes, so its second word ends the options: what comes behind it"
    " is not read.",
}
"""Mistake -> its sentence."""


def _rule_command(domain: str, folder: str, header: str, keyword: str) -> str:
    rule = FilterRule(
        emailid=f"prefilt@{domain}",
        filter_name="suspicious",
        header_name=HEADERS.index(header),
        comparision=Comparision.EQUALS,
        keyword=keyword,
        destination=folder,
    )
    return format_command(VcfilterCommand(action="add", emailid=rule.emailid, rule=rule))


def _draw_filter(rng: random.Random) -> Drawn:
    domain, folder = f"{rng.choice(NAMES)}{rng.randrange(10, 100)}.example.com", rng.choice(FOLDERS)
    header = rng.choice(tuple(MARKS))
    keyword, number = MARKS[header], HEADERS.index(header)
    right = _rule_command(domain, folder, header, keyword)
    wrong = {
        right.replace(f"-h {number}", f"-h {manual_header_number(number)}"): "manual",
        right.replace(f"-h {number}", "-h 28"): "header",
        right.replace("prefilt@", "bob@"): "user",
        right.replace("prefilt@", "postfilt@"): "postfilt",
        right.replace(domain, "$1"): "shell",
        right.replace(domain, "example.org"): "domain",
        right.replace("-c 0", "-c 2"): "misses",
        right.replace("-c 0", "-c 5"): "address book",
        right.replace(keyword, "another"): "misses",
        right.replace(f'"{keyword}"' if " " in keyword else keyword, '""'): "too much",
        right.replace(folder, "Trash"): "folder",
        right.replace(folder, "/NoDeliver"): "no deliver",
        right.replace("-b 0", "-b 1"): "bounce",
        right.replace("-b 0", f'-b "2&abuse@{domain}"'): "bounce",
        right.replace("-i ", "-u 1 "): "action",
        **({right.replace('"', ""): "bare keyword"} if " " in keyword else {}),
    }
    given = {"domain": domain, "folder": folder, "header of the mail": f"{header}: {keyword}"}
    return Drawn(given=given, right=right, traps={text: RULE_MISTAKES[mistake] for text, mistake in wrong.items()})


def _judge_filter(drawn: Drawn, answer: object) -> str | None:
    text = as_text(answer)
    if text is None:
        return f"A text is wanted here, one command line of vcfilter; this is {kind_of(answer)}, or it is far too long."
    try:
        command = parse_command(text.strip())
    except FilterError as error:
        keyword = text_of(drawn.given, "header of the mail").partition(": ")[2]
        if " " in keyword and f"-k {keyword}" in text:
            return RULE_MISTAKES["bare keyword"]
        return f"vcfilter refuses this: it wants {error.expected}."
    return RULE_MISTAKES.get(_mistake_in_filter(drawn.given, command))


def _mistake_in_filter(given: Mapping[str, object], command: VcfilterCommand) -> str:
    """Return the first mistake, "" for none."""
    header, _colon, value = text_of(given, "header of the mail").partition(": ")
    domain, rule = text_of(given, "domain"), command.rule
    if rule is None or command.action != "add":
        return "action"
    user, _at, its_domain = command.emailid.partition("@")
    name, mark, emailid = header.lower().encode(), value.lower().encode(), f"bob@{domain}"
    moved, others = {name: [mark]}, ({name: [b"no"]}, {b"x-qhpsi": [b"clean"]})
    number = HEADERS.index(header)
    return first_mistake(
        (
            ("shell", "$" in command.emailid),
            ("postfilt", user == "postfilt"),
            ("user", user != "prefilt"),
            ("domain", its_domain != domain),
            ("address book", rule.comparision is Comparision.NOT_IN_TO_CC_BCC),
            ("manual", rule.header_name == manual_header_number(number)),
            ("header", rule.header_name != number),
            ("misses", not _takes(rule, moved, emailid)),
            ("too much", any(_takes(rule, other, emailid) for other in others)),
            ("no deliver", not rule.folder),
            ("folder", rule.folder != text_of(given, "folder")),
            ("bounce", rule.is_bounced or bool(rule.forward_to)),
        )
    )


def _takes(rule: FilterRule, headers: Mapping[bytes, list[bytes]], emailid: str) -> bool:
    try:
        return is_match(rule, headers, emailid=emailid)
    except FilterError:
        return False


def _solve_filter(given: Mapping[str, object]) -> str:
    header, _colon, value = text_of(given, "header of the mail").partition(": ")
    return _rule_command(text_of(given, "domain"), text_of(given, "folder"), header, value)


FILTER: Final = Exercise(
    number="02.7",
    grade=Grade.CHANGE,
    title="a rule for the folder",
    goal="Write the vcfilter command line that moves mail with this header into this folder, for everybody in this"
    " domain and before their own filters. Nobody is told.",
    reason="Right: your line was read as vcfilter reads it, and tried on three mails; it takes the one with the mark"
    " and leaves the others.",
    way='vcfilter -i -t NAME -c 0 -k "KEYWORD" -f FOLDER -b 0 -h NUMBER prefilt@DOMAIN, the number from 0 on, or the'
    " header's name.",
    hints=(
        "Take the seed's line and change -k, -f, -h and the domain at its end.",
        "Which number is the header? vfilter.HEADERS counts as the program does, from 0. The manual does not.",
        'vfilter.HEADERS.index("…") is the number for -h; parse_command(answer).rule says what your line means.',
    ),
    draw=_draw_filter,
    solve=_solve_filter,
    judge=_judge_filter,
)

# --- 02.8: why 451? ---------------------------------------------------------------------------------------------

_BY_NAME: Final = {cause.name: cause for cause in CAUSES}


def _draw_causes(rng: random.Random) -> Drawn:
    causes = rng.sample(CAUSES, len(LETTERS))
    given: dict[str, object] = {}
    for letter, cause in zip(LETTERS, causes, strict=True):
        _number, mess = draw_mess(rng)
        given[letter] = cause.story(mess)
    given["causes"] = _listed({cause.name: cause.meaning for cause in CAUSES})
    return Drawn(given=given, right={letter: cause.name for letter, cause in zip(LETTERS, causes, strict=True)})


def _solve_causes(given: Mapping[str, object]) -> dict[str, str]:
    stories = {letter: text_of(given, letter) for letter in LETTERS}
    return {letter: next(one.name for one in CAUSES if one.proof in story) for letter, story in stories.items()}


WHY_451: Final = Exercise(
    number="02.8",
    grade=Grade.FIND_OUT,
    title="why was it 451?",
    goal="Three clients heard 451, and their mail waits at home. Below each reply stands what the administrator found."
    " What was the cause? One of the list for A, B and C.",
    reason="Right, all three. The client hears next to nothing, on purpose, and tries again later: no mail was lost,"
    " and none came in unseen.",
    way="Ask in order: is QHPSI there and not empty? Could its program or plugin be started? Did it reach clamd, could"
    " clamd read the file? Which exit code came, and which are expected?",
    hints=(
        "Begin with the reply: one kind of end has a sentence of its own.",
        "Then read QHPSI and what was said: who speaks, qhpsi before the scanner ran, or the scanner itself?",
        "If nobody complains, compare the exit code with those that count: QHPSIRC for a virus, QHPSIRN for clean.",
    ),
    draw=_draw_causes,
    solve=_solve_causes,
    judge=partial(
        judge_choices,
        {cause.name: cause.meaning for cause in CAUSES},
        lambda _letter, choice: _BY_NAME[choice].not_this,
    ),
)
