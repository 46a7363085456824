"""Lesson 05: the answers by hand and by the tracer, and the sentence for each mistake."""

from __future__ import annotations

import datetime as dt
import random
import re
from email.utils import parsedate_to_datetime

import pytest

from indimail_kit import logs, trace
from indimail_kit.course import EXERCISES
from indimail_kit.course.exercise import learner_named
from indimail_kit.course.lesson_05_answers import CLAIMS, FATES
from indimail_kit.course.lesson_05_joins import KEYS, SPANS_MS, SURE, WITNESSES, write_case
from indimail_kit.course.lesson_05_time import WHY
from indimail_kit.logs.grammar import parse_line

BY_NUMBER = {exercise.number: exercise for exercise in EXERCISES}
NAMES = [f"learner {number}" for number in range(40)]


def drawn(number, name="ann"):
    """Return the values of an exercise for a learner."""
    return learner_named(name).draw(BY_NUMBER[number])


def judged(number, answer, name="ann"):
    """Return what is said to an answer."""
    return BY_NUMBER[number].judge(drawn(number, name), answer)


def seconds(label):
    """Return the time of a label (unit: s since 1970), without the kit."""
    return int(label[1:17], 16) - 2**62 - 10 + int(label[17:], 16) / 10**9


def lines_of(number, name, what="log"):
    """Return the words of each line of a log."""
    return [line.split() for line in drawn(number, name).given[what].splitlines()]


# --- the answers, by hand and by the tracer ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES[:20])
def test_each_line_is_of_the_witness_that_names_this_key(name):
    """05.1: the line that was written for the key, by the beginning of its form."""
    values = drawn("05.1", name)
    begins = {form.partition("{")[0]: key for key, form in WITNESSES}
    found = {
        letter: [key for begin, key in begins.items() if values.given[letter].startswith(begin)] for letter in "ABCD"
    }

    assert ({letter: [key] for letter, key in values.right.items()}, set(values.right.values())) == (found, set(KEYS))


@pytest.mark.parametrize("name", NAMES[:6])
def test_the_tracer_finds_the_same_number(name):
    """05.2: `trace.qp` with the second of the reply; two messages have the qp."""
    values = drawn("05.2", name)
    second, qp = (int(values.given["reply"].split()[at]) for at in (2, 4))
    log = logs.read(values.given["log"].encode() + b"\n")
    told = trace.qp(qp, logs=[log], at_ns=second * 10**9, within_s=60)

    assert (str(told.message.message_number), told.others) == (values.right, ())
    assert len(trace.qp(qp, logs=[log]).candidates) == 2


@pytest.mark.parametrize("name", NAMES[:6])
def test_the_tracer_gives_the_scan_to_the_same_mail(name):
    """05.3: with both lines in one log, the scan is evidence of the right sender's message, and no other's."""
    values = drawn("05.3", name)
    both = sorted([values.given["scan"], *values.given["log"].splitlines()])
    log = logs.read("\n".join(both).encode() + b"\n")
    number = int(values.given["scan"].partition(": ")[0].rpartition("/")[2])
    told = trace.message(number, logs=[log]).candidates

    assert [one.message.sender for one in told if one.of("scan")] == [values.right]


@pytest.mark.parametrize("word", SURE)
def test_the_tracer_is_as_sure(word):
    """05.4: at both ends of each span, the tracer's own word for the scan."""
    for span_ms in SPANS_MS[word]:
        rng = random.Random(span_ms)  # noqa: S311 - the same each time
        log = logs.read(write_case(rng, span_ms * 10**6).encode() + b"\n")
        number = int(log.messages["message_number"].iloc[0])
        (scan,) = trace.message(number, logs=[log], lifetime=2).of("scan")

        assert scan.confidence == word


@pytest.mark.parametrize("name", NAMES[:10])
def test_the_clock_is_the_difference_of_each_number(name):
    """05.5, by hand: for each number scan minus new msg, rounded up to the next second."""
    scans = {line[1].rpartition("/")[2].rstrip(":"): seconds(line[0]) for line in lines_of("05.5", name, "clamd")}
    births = {line[3]: seconds(line[0]) for line in lines_of("05.5", name, "qmail-send") if line[1] == "new"}
    found = {-int(-(scan_s - births[number]) // 1) for number, scan_s in scans.items()}

    assert (found, len(scans)) == ({int(drawn("05.5", name).right)}, 6)


@pytest.mark.parametrize("name", NAMES[:10])
def test_the_differences_are_those_of_their_names(name):
    """05.6, by the standard library: 27 s, another zone, up to 25 minutes, hours."""
    values = drawn("05.6", name)
    found = {}
    for letter in "ABCD":
        _head, comment, info, told = values.given[letter].splitlines()
        date = parsedate_to_datetime(comment.partition("; ")[2])
        delay_s = seconds(info.split()[0]) - date.timestamp()
        is_utc = date.utcoffset() == dt.timedelta(0)
        found[letter] = (27 <= delay_s < 28, not is_utc and delay_s < 1, 28 < delay_s < 1_500, delay_s > 1_500)
        assert told[14:33] == f"{dt.datetime.fromtimestamp(int(seconds(info.split()[0])), dt.UTC):%Y-%m-%d %H:%M:%S}"

    assert {letter: list(WHY)[one.index(True)] for letter, one in found.items()} == values.right


@pytest.mark.parametrize("name", NAMES[:6])
def test_the_question_fits_one_message_and_without_its_time_four(name):
    """05.7: what is asked for exists, and is needed."""
    values = drawn("05.7", name)
    tracer = trace.Tracer(logs=[logs.read(values.given["log"].encode() + b"\n")])
    told = trace.parse_question(values.right).ask(tracer)

    assert (told.message.sender, told.others) == (values.given["sender"], ())
    assert len(trace.parse_question(values.given["number"]).ask(tracer).candidates) == 4


def test_another_question_that_fits_the_message_is_right_too():
    """05.7: by its life, or by the sender."""
    values = drawn("05.7")
    tracer = trace.Tracer(logs=[logs.read(values.given["log"].encode() + b"\n")])
    lifetime = trace.parse_question(values.right).ask(tracer).message.lifetime

    assert judged("05.7", f"{values.given['number']} life {lifetime}") is None
    assert judged("05.7", values.given["sender"]) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_claim_is_proved_by_its_line_alone(name):
    """05.8, by one's own look: a claim has its line, and a possible scan has none."""
    given = drawn("05.8", name).given
    has = {
        CLAIMS["queued"]: " info msg " in given["story"],
        CLAIMS["mailbox"]: "success: did_1" in given["story"],
        CLAIMS["again"]: "deferral:" in given["story"],
        CLAIMS["scanned"]: re.search(r"scan +● /", given["story"]) is not None,
        CLAIMS["login"]: "AUTH <" in given["story"],
    }

    assert {letter for letter in "ABCDEF" if has.get(given[letter])} == drawn("05.8", name).right


def test_stories_differ_in_what_they_have():
    """05.8: over many learners each claim that can be proved is proved somewhere, and somewhere not."""
    proved = [
        {values.given[letter]: letter in values.right for letter in "ABCDEF"}
        for values in (drawn("05.8", name) for name in NAMES)
    ]
    answers = {claim: {one[claim] for one in proved if claim in one} for claim in CLAIMS.values()}

    assert {claim for claim, said in answers.items() if said == {True, False}} == {
        CLAIMS[name] for name in ("mailbox", "again", "scanned", "login")
    }
    assert (answers[CLAIMS["read"]], answers[CLAIMS["unscanned"]], answers[CLAIMS["queued"]]) == (
        {False}, {False}, {True},
    )  # fmt: skip


@pytest.mark.parametrize("name", NAMES[:10])
def test_the_complaint_is_about_the_only_mail_that_fits(name):
    """05.9, by hand: sender, recipient and hour; the line that ends its delivery says the fate."""
    values = drawn("05.9", name)
    lines = lines_of("05.9", name)
    after_s = dt.datetime.fromisoformat(values.given["after"]).replace(tzinfo=dt.UTC).timestamp()
    mine = f"<{values.given['sender']}>"
    numbers = [
        line[3].rstrip(":") for line in lines if mine in line and 0 <= seconds(line[0]) - after_s < 3_600
    ]  # fmt: skip
    (start,) = [
        line for line in lines if line[1] == "starting" and line[5] in numbers and line[-1] == values.given["recipient"]
    ]
    end = " ".join(next(line[3:] for line in lines if line[1:3] == ["delivery", start[3]]))
    words = {"success:_did_1": "arrived", "success:_did_0": "forwarded", "deferral": "waits", "failure": "bounced"}
    fates = [fate for begin, fate in words.items() if end.replace(" ", "_").startswith(begin)]

    assert ({"number": int(start[5]), "fate": fates[0]}, len(numbers) > 1) == (values.right, True)


@pytest.mark.parametrize(("number", "what"), [
    ("05.2", "log"), ("05.3", "log"), ("05.3", "scan"), ("05.4", "A"), ("05.5", "clamd"), ("05.5", "qmail-send"),
    ("05.7", "log"), ("05.9", "log"),
])  # fmt: skip
def test_every_line_is_one_that_the_programs_write(number, what):
    """No line of an exercise's log is unknown to the grammar."""
    lines = [line for name in NAMES[:5] for line in drawn(number, name).given[what].splitlines()]

    assert [line for line in lines if parse_line(line.encode()).kind == "unknown"] == []


# --- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "answer", "words"),
    [
        ("05.1", {"A": "inode", "B": "qp", "C": "qp", "D": "qp"}, "A: take one of the names"),
        ("05.2", "soon", "in digits"),
        ("05.2", 7, "No message of this log"),
        ("05.3", "bob", "An address is wanted"),
        ("05.3", "bob@example.org", "not in the log"),
        ("05.4", "likely", "A dictionary with A, B and C"),
        ("05.5", "late", "whole seconds"),
        ("05.5", 3, "Not so far"),
        ("05.7", "bob", "This is no question that can be asked"),
        ("05.7", "1", "Nothing fits"),
        ("05.8", set("ABCDEF"), "Not all of them"),
        ("05.9", {"number": 5}, "A dictionary with number and fate"),
        ("05.9", {"number": "x", "fate": "waits"}, "number: a message number is wanted"),
        ("05.9", {"number": 5, "fate": "waits"}, "number: not this one"),
    ],
)
def test_an_unknown_mistake_is_told_by_its_form(number, answer, words):
    """What nobody foresaw is still looked at."""
    assert words in judged(number, answer)


@pytest.mark.parametrize(("number", "names"), [("05.1", KEYS), ("05.4", SURE), ("05.6", WHY)])
def test_each_wrong_choice_has_its_sentence(number, names):
    """For learners whose A is another one, each choice gets a sentence of its own."""
    said = {
        choice: {judged(number, {**drawn(number, name).right, "A": choice}, name) for name in NAMES[:12]} - {None}
        for choice in names
    }

    assert ([len(texts) for texts in said.values()], len(set().union(*said.values()))) == ([1] * len(names), len(names))


def test_each_wrong_fate_has_its_sentence():
    """05.9: the number is right, the fate is not; a fate that is none is said so."""
    right = drawn("05.9").right
    said = {judged("05.9", right | {"fate": fate}) for fate in FATES} - {None}

    assert (len(said), judged("05.9", right | {"fate": "lost"})) == (3, "fate: take one of the names in the list.")


def test_a_number_may_be_a_text_or_a_number():
    """05.2, 05.5 and 05.9: "7" is as good as 7; a plus is no mistake."""
    assert (judged("05.2", int(drawn("05.2").right)), judged("05.5", int(drawn("05.5").right))) == (None, None)
    plus = next(name for name in NAMES if not drawn("05.5", name).right.startswith("-"))
    assert judged("05.5", f"+{drawn('05.5', plus).right}", plus) is None
    right = drawn("05.9").right
    assert judged("05.9", right | {"number": str(right["number"])}) is None


@pytest.mark.parametrize("name", NAMES[:8])
def test_a_claim_too_many_is_named_and_a_missing_one_is_not(name):
    """05.8: the letter with what would prove it; one too few is said."""
    right = drawn("05.8", name).right
    extra = min(set("ABCDEF") - right)

    assert judged("05.8", right | {extra}, name).startswith(f"{extra} is not proved. ")
    assert "one is missing" in judged("05.8", right - {max(right)}, name)
