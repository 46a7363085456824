"""Lesson 02: the answers against other programs and recordings, and the sentence for each mistake."""

from __future__ import annotations

import ast
import json
import random
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from indimail_kit.course import EXERCISES
from indimail_kit.course.exercise import learner_named
from indimail_kit.course.lesson_02_service import OTHER_FAULTS, QHPSI_FAULTS, REPAIR_MISTAKES
from indimail_kit.course.lesson_02_setting import RULE_MISTAKES
from indimail_kit.course.scan_cases import CAUSES, END_OF, ENDS, SETTINGS
from indimail_kit.delivery.vfilter import HEADERS, parse_command
from indimail_kit.qhpsi.clamd_daemon import ClamdDaemon, find_clamd
from indimail_kit.qhpsi.config import QhpsiConfig
from indimail_kit.qhpsi.decision import ScanAction, decide
from indimail_kit.qhpsi.signature_lines import parse_signature

DATA = Path(__file__).parent.parent / "data" / "indimail"
BY_NUMBER = {exercise.number: exercise for exercise in EXERCISES}
NAMES = [f"learner {number}" for number in range(60)]


def drawn(number, name="ann"):
    """Return the values of an exercise for a learner."""
    return learner_named(name).draw(BY_NUMBER[number])


def judged(number, answer, name="ann"):
    """Return what is said to an answer."""
    return BY_NUMBER[number].judge(drawn(number, name), answer)


def solved(number, name="ann"):
    """Return the solution for a learner."""
    return BY_NUMBER[number].solve(drawn(number, name).given)


# --- the answers, by other programs and by what was recorded --------------------------------------------------------


def test_the_words_are_those_of_a_shell_without_expansion():
    """02.1: where quotes stand at the beginning of a word only, makeargs cuts as shlex does."""
    values = drawn("02.1")
    words = shlex.split(values.given["QHPSI"])

    assert values.right.split("\n") == [values.given["mess file"] if word == "%s" else word for word in words]


@pytest.mark.skipif(shutil.which("tcprules") is None, reason="no tcprules here (package ucspi-tcp)")
def test_tcprules_itself_takes_the_rule(tmp_path):
    """02.2: Debian's tcprules compiles the solution, and tcprulescheck finds for three clients what the task wants."""
    given = drawn("02.2").given
    low = int(given["not scanned"].removeprefix(given["network"]).split("-")[0])
    cdb = tmp_path / "tcp.smtp.cdb"
    subprocess.run(
        ["tcprules", str(cdb), str(tmp_path / "new")], input=solved("02.2"), text=True, check=True, timeout=10
    )
    clients = (f"{given['network']}1", f"{given['network']}{low}", "10.11.12.13")
    printed = [
        subprocess.run(
            ["tcprulescheck", str(cdb)],
            env={"PATH": "/usr/bin", "TCPREMOTEIP": client},
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.splitlines()
        for client in clients
    ]
    scan = [f"set environment variable QHPSI={given['QHPSI']}", "set environment variable REJECTVIRUS=1"]

    assert [lines[1:] for lines in printed] == [
        [*scan, "allow connection"],
        ["allow connection"],
        ["allow connection"],
    ]


@pytest.mark.skipif(shutil.which("tcprules") is None, reason="no tcprules here (package ucspi-tcp)")
@pytest.mark.parametrize(
    ("mistake", "exit_code"),
    [("curly", 100), ("no quote", 100)],
)
def test_tcprules_itself_refuses_the_mistakes(tmp_path, mistake, exit_code):
    """02.2: exit code 100 is true; IndiMail's own 111 stands in tests/data/indimail/tcprules/odd-lines.txt."""
    text = next(text for text, sentence in drawn("02.2").traps.items() if sentence == RULE_MISTAKES[mistake])
    end = subprocess.run(
        ["tcprules", str(tmp_path / "cdb"), str(tmp_path / "new")],
        input=text.encode(),
        capture_output=True,
        timeout=10,
        check=False,
    )

    assert end.returncode == exit_code


def seconds(label):
    """Return the seconds of a TAI64N label, without the kit."""
    return int(label[1:17], 16) - 2**62 + int(label[17:], 16) / 10**9


@pytest.mark.parametrize("name", NAMES[:10])
def test_a_scan_belongs_to_the_message_that_follows_within_a_second(name):
    """02.3, worked out from the labels by hand."""
    given = drawn("02.3", name).given
    scans = [line.split() for line in given["clamd/current"].splitlines()]
    infos = [line.split() for line in given["deliver.25/current"].splitlines() if " info msg " in line]
    found = []
    for label, path, *_said in scans:
        near = [
            info[9]
            for info in infos
            if info[3].rstrip(":") == path.rstrip(":").rpartition("/")[2] and 0 < seconds(info[0]) - seconds(label) < 1
        ]
        found.append(near[0] if near else "none")

    assert dict(zip("ABC", found, strict=True)) == drawn("02.3", name).right


def test_the_seed_has_the_same_trap():
    """02.3: the seed's scan of 660188 and its ``new msg 660188`` are 73 s apart, as the reason says."""
    scan, born = "@400000004b9da2a7061e372c", "@400000004b9da2f03b424bb4"

    assert (round(seconds(born) - seconds(scan)), "73 s" in BY_NUMBER["02.3"].reason) == (74, True)


@pytest.mark.skipif(shutil.which("envdir") is None, reason="no envdir here (package daemontools)")
@pytest.mark.parametrize("name", NAMES[:12])
def test_envdir_itself_sees_the_repaired_variables(tmp_path, name):
    """02.4: Debian's envdir makes of the repaired directory what the task wants, and of the broken one not."""
    given = drawn("02.4", name).given
    before = {file.removeprefix("variables/"): ast.literal_eval(given[file]) for file in given if "variables/" in file}
    changes = {file.removeprefix("variables/"): text for file, text in solved("02.4", name).items() if "/" in file}
    seen = []
    for number, files in enumerate((before, before | changes)):
        directory = tmp_path / str(number)
        directory.mkdir()
        for file, text in files.items():
            if text is not None:
                (directory / file).write_text(text)
        printed = subprocess.run(
            ["/usr/bin/env", "-i", "/usr/bin/envdir", str(directory), "/usr/bin/env"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout
        seen.append(f"QHPSI={given['QHPSI']}" in printed.splitlines())

    assert seen == [False, True]


def test_the_record_has_the_recorded_form():
    """02.5: letters and order as in the recorded call with QUARANTINE and a virus."""
    cases = json.loads((DATA / "qhpsi" / "qhpsi-cases.json").read_text())
    case = next(case for case in cases if case["case"] == "QUARANTINE virus REJECT=2")
    recorded = next(text for name, text in case["files"].items() if name.startswith("todo/"))
    ours = drawn("02.5").given["todo file"].encode().decode("unicode_escape")

    def shape(text):
        return [record[:1] for record in text.split("\0")], [line.split(":")[0] for line in text.splitlines()[1:-1]]

    assert shape(ours) == shape(recorded)


RECORDED_ENDS = {
    "REJECTVIRUS=1": ({"REJECTVIRUS": "1"}, 1, "554"),
    "REJECTVIRUS=2": ({"REJECTVIRUS": "2"}, 1, "gone"),
    "REJECTVIRUS=3": ({"REJECTVIRUS": "3"}, 1, "554"),
    "REJECTVIRUS=abc": ({"REJECTVIRUS": "abc"}, 1, "marked"),
    "VIRUSFORWARD REJECT=1": ({"REJECTVIRUS": "1", "VIRUSFORWARD": "a@b.c"}, 1, "554"),
    "VIRUSFORWARD REJECT=2": ({"REJECTVIRUS": "2", "VIRUSFORWARD": "a@b.c"}, 1, "marked"),
    "exit 2": ({}, 2, "451"),
    "QHPSIRC=13 exit13": ({"QHPSIRC": "13"}, 13, "marked"),
    "QHPSIRC=0 exit0": ({"QHPSIRC": "0"}, 0, "marked"),
    "FASTQUEUE": ({"REJECTVIRUS": "1", "FASTQUEUE": "1005"}, 1, "bare"),
}
"""Recorded call -> variables, exit code, and the end that its files and exit code show."""


@pytest.mark.parametrize("case", RECORDED_ENDS)
def test_the_ends_are_those_of_the_real_program(case):
    """02.6: exit code and header of recorded calls, and what `decide` says, are the same end."""
    variables, scanner_rc, end = RECORDED_ENDS[case]
    cases = json.loads((DATA / "qhpsi" / "qhpsi-cases.json").read_text())
    real = next(one for one in cases if one["case"] == case)
    todo = "".join(text for name, text in real["files"].items() if name.startswith("todo/"))
    seen = {33: "554", 77: "451"}.get(
        real["rc"],
        "gone" if not todo else "marked" if "Virus found" in todo else "clean" if "clean" in todo else "bare",
    )
    config = QhpsiConfig.from_environ({"QHPSI": "/x %s", **variables})

    assert (END_OF[decide(config, message_bytes=500, scanner_rc=scanner_rc)], seen) == (end, end)


def test_every_action_has_an_end():
    """02.6: nothing that qmail-queue does is left out."""
    assert (set(END_OF), set(END_OF.values())) == (set(ScanAction), set(ENDS))


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda one: one.look[:30])
def test_a_likely_mistake_is_a_mistake(setting):
    """02.6: what has a sentence of its own is never the right end."""
    variables, size, scanner_rc = setting.make(random.Random(1))  # noqa: S311 - the same again
    config = QhpsiConfig.from_environ({"QHPSI": "/x %s", **variables})

    assert END_OF[decide(config, message_bytes=size, scanner_rc=scanner_rc)] not in setting.traps


def test_every_end_is_asked_for():
    """02.6: over many learners each of the six ends is right somewhere."""
    assert {end for name in NAMES for end in drawn("02.6", name).right.values()} == set(ENDS)


def test_the_seeds_rule_is_a_rule():
    """02.7: the seed's own line, with a domain in place of $1, is read; its header is X-QHPSI."""
    seed = '/usr/bin/vcfilter -i -t virusFilter -c 0 -k "virus found" -f Quarantine -b 0 -h 28 prefilt@example.com'

    assert parse_command(seed).rule.header == "X-QHPSI"


@pytest.mark.parametrize("name", NAMES[:10])
def test_the_headers_name_is_as_good_as_its_number(name):
    """02.7: -h takes a number or the exact name, and a keyword may be a part with -c 1."""
    header, _colon, value = drawn("02.7", name).given["header of the mail"].partition(": ")
    right = solved("02.7", name).replace(f"-h {HEADERS.index(header)} ", f"-h {header} ")

    assert (
        judged("02.7", right, name),
        judged("02.7", right.replace("-c 0", "-c 1").replace(value, value[:4].upper()), name),
    ) == (None, None)


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name)
def test_only_one_story_has_the_proof(cause):
    """02.8: the words that prove a cause are in no other story."""
    stories = {one.name: one.story("mess/16/660188") for one in CAUSES}

    assert [name for name, story in stories.items() if cause.proof in story] == [cause.name]


@pytest.mark.parametrize(
    ("name", "case"), [("down", "clamdscan"), ("program", "missing scanner DEBUG"), ("plugin", "plugin generic DEBUG")]
)
def test_the_stories_are_as_recorded(name, case):
    """02.8: what clamdscan and qhpsi say stands in the recorded calls."""
    story = next(cause for cause in CAUSES if cause.name == name).story("mess/16/660188").splitlines()
    files = ("qhpsi-cases.json", "qhpsi-plugin-cases.json")
    said = "\n".join(one["stderr"] for file in files for one in json.loads((DATA / "qhpsi" / file).read_text()))

    assert any(line in said.splitlines() for line in story)


# --- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [[1, 2], 7, {"a": 1}, None], ids=repr)
def test_words_are_a_list_of_texts(answer):
    """02.1: anything else is told so."""
    assert judged("02.1", answer).startswith("A list of words is wanted")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["/bin/sh", "-c", "x"], "The first word is the program"),
        (["/usr/bin/clamdscan", "%s"], "There are 2 words; six are wanted"),
        (["/usr/bin/clamdscan", "a", "b", "c", "d", "e"], "Six words, but not these"),
    ],
    ids=["program", "too few", "others"],
)
def test_other_words_are_told_by_their_form(words, sentence):
    """02.1: what nobody foresaw is looked at, too."""
    assert judged("02.1", words).startswith(sentence)


def test_a_rule_may_be_written_in_other_ways():
    """02.2: other quotes, another order, `!QHPSI` for the range, and no line for everybody are as good."""
    given = drawn("02.2").given
    rule = f"{given['network']}:allow,REJECTVIRUS='7',QHPSI='{given['QHPSI']}'\n{given['not scanned']}:allow,!QHPSI\n"

    assert judged("02.2", rule) is None


def test_any_other_refusal_of_tcprules_is_told_with_its_line():
    """02.2: a range that is none."""
    assert judged("02.2", ':allow\n10.0.0.a-b:allow,X="1"').startswith("tcprules exits with 100 at line 2")


def with_faults(first, second):
    """Return a learner's values with these two faults."""
    (name, text), (other, _other_text) = QHPSI_FAULTS[first], OTHER_FAULTS[second]
    for learner in range(2_000):
        values = drawn("02.4", f"learner {learner}")
        files = {file: ast.literal_eval(values.given[file]) for file in values.given if "/" in file or "tcp" in file}
        file = files.get(f"variables/{name}")
        is_first = (
            file is not None and (file == "") == (first == "no octets") and file.startswith(text.partition("{")[0])
        )
        if is_first and other in files and (other != "tcp.smtp" or "!QHPSI" in files["tcp.smtp"]):
            return values
    raise AssertionError((first, second))


@pytest.mark.parametrize(
    ("first", "change", "mistake"),
    [
        ("no octets", {"variables/FASTQUEUE": None}, "no octets"),
        ("blank first line", {"variables/FASTQUEUE": None}, "empty"),
        ("comment", {"variables/FASTQUEUE": None}, "other command"),
        ("dot", {"variables/FASTQUEUE": None}, "not found"),
        ("lower case", {"variables/FASTQUEUE": None}, "not found"),
        ("dot", {"variables/QHPSI": "{command}\n"}, "fast"),
        ("dot", {"variables/QHPSI": "{command}\n", "variables/FASTQUEUE": "yes 1\n"}, None),
        ("dot", {"variables/QHPSI": "{command}", "variables/FASTQUEUE": "0\n"}, None),
        (
            "dot",
            {"variables/QHPSI": "{command}\n", "variables/FASTQUEUE": None, "variables/REJECTVIRUS": None},
            "reject",
        ),
        ("dot", {"variables/QHPSI": "{command}\n", "variables/FASTQUEUE": None, "tcp.smtp": ":allow\n"}, "others"),
        ("dot", {"variables/QHPSI": "/bin/true\n", "variables/FASTQUEUE": None}, "other command"),
    ],
)
def test_half_a_repair_is_told(first, change, mistake):
    """02.4: what is still wrong, or what was broken on the way, has its sentence."""
    values = with_faults(first, "fast")
    command = values.given["QHPSI"]
    changes = {file: text and text.replace("{command}", command) for file, text in change.items()}

    assert BY_NUMBER["02.4"].judge(values, changes) == REPAIR_MISTAKES.get(mistake)


@pytest.mark.parametrize(("second", "mistake"), [("largest", "size"), ("smallest", "size"), ("rule", "rule")])
def test_what_else_keeps_the_scan_away_is_told(second, mistake):
    """02.4: a limit of size, a rule of tcp.smtp."""
    values = with_faults("no octets", second)

    assert (
        BY_NUMBER["02.4"].judge(values, {"variables/QHPSI": values.given["QHPSI"] + "\n"}) == REPAIR_MISTAKES[mistake]
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("rm FASTQUEUE", "A dictionary is wanted"),
        ({"QHPSI": "x"}, "Take the names as they stand"),
        ({"variables/QHPSI": 1}, "Take the names as they stand"),
        ({"tcp.smtp": "no colon"}, "tcprules refuses line 1"),
    ],
    ids=["text", "name", "number", "rule"],
)
def test_a_repair_of_another_form_is_told(answer, words):
    """02.4: names and texts only, and rules that tcprules takes."""
    assert judged("02.4", answer).startswith(words)


@pytest.mark.parametrize("name", NAMES[:10])
def test_a_wrong_owner_of_a_scan_is_told(name):
    """02.3: an earlier message, a later one, one with another number, none: each has its sentence."""
    values = drawn("02.3", name)
    owners = [line.split()[9] for line in values.given["deliver.25/current"].splitlines() if " info msg " in line]
    wrong = [(letter, owner) for letter in "ABC" for owner in (*owners, "none") if owner != values.right[letter]]
    said = {BY_NUMBER["02.3"].judge(values, values.right | {letter: owner})[:18] for letter, owner in wrong}

    assert {text[3:] for text in said} == {"That message ha", "That message wa", "Between this sc", "A message of th"}


@pytest.mark.parametrize("letter", ["A", "B", "C"])
def test_numbers_are_choices_too(letter):
    """02.3: a qp may be written without quotes."""
    right = {key: int(qp) if qp.isdigit() else qp for key, qp in drawn("02.3").right.items()}

    assert judged("02.3", right) is None


@pytest.mark.parametrize("number", ["02.6", "02.8"])
@pytest.mark.parametrize("letter", ["A", "B", "C"])
def test_a_wrong_choice_names_the_letter(number, letter):
    """02.6, 02.8: the first letter with a wrong choice is named."""
    values = drawn(number)
    names = ENDS if number == "02.6" else [cause.name for cause in CAUSES]
    wrong = [name for name in names if name != values.right[letter]]
    said = [BY_NUMBER[number].judge(values, values.right | {letter: name}) for name in wrong]

    assert [text[:3] for text in said] == [f"{letter}: "] * len(wrong)


@pytest.mark.parametrize("name", NAMES[:10])
def test_each_reply_that_is_not_clean_has_its_sentence(name):
    """02.9: a letter too many is told with its reason; a letter too few is not named; all are too many."""
    values = drawn("02.9", name)
    judge = BY_NUMBER["02.9"].judge
    first = sorted(values.right)[0]

    assert (
        [judge(values, values.right | {letter}) for letter in values.traps] == list(values.traps.values()),
        "one is missing" in judge(values, values.right - {first}),
        judge(values, set("ABCDEFGH"))[:15],
        judge(values, {"Z"})[:18],
    ) == (True, True, "Not all of them", "There is a name th")


@pytest.mark.parametrize(
    ("number", "answer", "words"),
    [
        ("02.2", 7, "A text is wanted here, the lines of tcp.smtp"),
        ("02.3", "none", "A dictionary with A, B and C"),
        ("02.5", "nobody", "An address is wanted"),
        ("02.5", "somebody@example.com", "not in the file"),
        ("02.6", {"A": "250 ok", "B": "250", "C": "451"}, "take one of the names"),
        ("02.7", 7, "A text is wanted here, one command line"),
        ("02.7", "vcfilter -i", "vcfilter refuses this: it wants an address"),
        ("02.9", 7, "Letters are wanted"),
    ],
)
def test_another_form_is_told(number, answer, words):
    """What is no answer at all gets a sentence that says what one looks like."""
    assert words in (judged(number, answer) or "")


# --- 02.10, with a clamd --------------------------------------------------------------------------------------------


@pytest.mark.skipif(find_clamd() is None, reason="no clamd here (package clamav-daemon)")
def test_clamd_itself_finds_the_two_mails_and_not_the_third(tmp_path):
    """02.10: the solution's line, loaded into a real clamd."""
    given = drawn("02.10").given
    signature = parse_signature(solved("02.10"), "ndb")
    with ClamdDaemon(extra_signatures=[signature]) as clamd:
        verdicts = []
        for label in ("first", "second", "innocent"):
            path = tmp_path / label
            path.write_text(given[label])
            verdicts.append(clamd.client.scan_file(path).verdict.value)

    assert verdicts == ["INFECTED", "INFECTED", "CLEAN"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (7, "A text is wanted here, one line of a .ndb file"),
        ("a b:0:*:" + "61" * 20, "clamd refuses this line: it wants a signature name"),
        ("Lesson.Mine:0:*:616", "clamd refuses this line"),
    ],
    ids=["number", "name", "odd"],
)
def test_a_line_that_clamd_refuses_is_told(answer, words):
    """02.10: what the builder refuses, clamd would refuse, and the sentence says what is wanted."""
    assert judged("02.10", answer).startswith(words)
