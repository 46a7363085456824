"""Lesson 04: the answers against other programs and by hand, and the sentence for each mistake."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter

import pytest

from indimail_kit.course import EXERCISES
from indimail_kit.course.exercise import learner_named
from indimail_kit.course.lesson_04_lines import NEXT, REPORTS
from indimail_kit.course.lesson_04_report import NUMBER_MISTAKES, NUMBERS
from indimail_kit.logs.grammar import parse_line

BY_NUMBER = {exercise.number: exercise for exercise in EXERCISES}
NAMES = [f"learner {number}" for number in range(40)]


def drawn(number, name="ann"):
    """Return the values of an exercise for a learner."""
    return learner_named(name).draw(BY_NUMBER[number])


def judged(number, answer, name="ann"):
    """Return what is said to an answer."""
    return BY_NUMBER[number].judge(drawn(number, name), answer)


def words_of(number, name):
    """Return the words of each line of an exercise's log."""
    return [line.split() for line in drawn(number, name).given["log"].splitlines()]


# --- the answers, by other programs and by hand -----------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("tai64nlocal") is None, reason="no tai64nlocal here (package daemontools)")
@pytest.mark.parametrize("name", NAMES[:10])
def test_tai64nlocal_itself_says_the_same_time(name):
    """04.1: Debian's tai64nlocal, in UTC, and it takes 10 s off as well."""
    values = drawn("04.1", name)
    said = subprocess.run(
        ["tai64nlocal"],
        input=values.given["label"] + " x\n",
        env=dict(os.environ, TZ="UTC"),
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    ).stdout

    assert said.partition(".")[0] == values.right


@pytest.mark.parametrize("outcome", ["success", "deferral", "failure"])
def test_each_outcome_has_its_reports(outcome):
    """04.2: over many learners each end is right somewhere, and each has more than one report."""
    asked = {end for name in NAMES for end in drawn("04.2", name).right.values()}

    assert (asked, sum(one == outcome for one, _report in REPORTS) >= 3) == (set(NEXT), True)


@pytest.mark.parametrize("name", NAMES[:10])
def test_only_a_number_at_its_place_counts(name):
    """04.3, by a rule of one's own: label, words, number; the words are those of qmail-log(5)."""
    given = drawn("04.3", name).given
    own = re.compile(rf"@[0-9a-f]{{24}} (new msg|end msg|bounce msg|starting delivery \d+: msg) {given['message']}\b")

    assert {letter for letter in "ABCDEF" if own.match(given[letter])} == drawn("04.3", name).right


@pytest.mark.parametrize("name", NAMES[:10])
def test_every_line_that_lies_has_the_number_all_the_same(name):
    """04.3: grep has found them, so the number is in each of the six lines."""
    given = drawn("04.3", name).given

    assert [letter for letter in "ABCDEF" if given["message"] not in given[letter]] == []


@pytest.mark.parametrize("name", NAMES[:10])
def test_the_failed_delivery_is_the_last_start_of_its_number(name):
    """04.4, by hand: the failure's number, and the last line before it that starts that number."""
    lines = words_of("04.4", name)
    at = next(place for place, line in enumerate(lines) if line[3:4] == ["failure:"])
    starts = [line[-1] for line in lines[:at] if line[1:3] == ["starting", "delivery"] and line[3] == lines[at][2]]

    assert (starts[-1], len(starts)) == (drawn("04.4", name).right, 2)


def seconds(label):
    """Return the time of a label (unit: s), without the kit."""
    return int(label[1:17], 16) - 2**62 + int(label[17:], 16) / 10**9


@pytest.mark.parametrize("name", NAMES[:10])
def test_the_delay_is_the_difference_of_two_labels(name):
    """04.5, by hand, from the labels."""
    lines, recipient = words_of("04.5", name), drawn("04.5", name).given["recipient"]
    start = next(line for line in reversed(lines) if line[1] == "starting" and line[-1] == recipient)
    number, delivery = start[5], start[3]
    queued = next(line[0] for line in lines if line[1:4] == ["info", "msg", f"{number}:"])
    ended = next(line[0] for line in lines if line[1:4] == ["delivery", delivery, "success:"])

    assert drawn("04.5", name).right == str(int(seconds(ended) - seconds(queued)))


@pytest.mark.parametrize("name", NAMES[:10])
def test_the_bounced_mail_is_of_the_life_that_is_open(name):
    """04.6, by hand: from bounce msg upwards to the next info msg of this number."""
    lines = words_of("04.6", name)
    at = next(place for place, line in enumerate(lines) if line[1] == "bounce")
    info = next(line for line in reversed(lines[:at]) if line[1:4] == ["info", "msg", f"{lines[at][3]}:"])

    assert info[info.index("from") + 1].strip("<>") == drawn("04.6", name).right


@pytest.mark.parametrize("name", NAMES[:10])
def test_the_numbers_are_what_grep_counts(name):
    """04.7, by counting words."""
    log = drawn("04.7", name).given["log"]
    ends = Counter(re.findall(r" delivery \d+: (success|failure|deferral): ", log))
    counted = (log.count(" end msg "), ends.total(), ends["success"], ends["failure"], ends["deferral"])

    assert drawn("04.7", name).right == dict(zip(NUMBERS, counted, strict=True))


@pytest.mark.parametrize("name", NAMES[:20])
def test_one_reason_has_one_reply_code_or_none(name):
    """04.8: the lines of A's reason, and no others, have A's code behind said (or the word SMTP)."""
    given = drawn("04.8", name).given
    codes = {letter: re.search(r"said:_(\d{3})|(SMTP)", given[letter])[0] for letter in "ABCDEF"}

    assert {letter for letter in "ABCDEF" if codes[letter] == codes["A"]} == drawn("04.8", name).right


@pytest.mark.parametrize("name", NAMES[:10])
def test_who_guesses_tries_many_users_and_another_fails_more_often(name):
    """04.9: the most failures are not the guesser's."""
    log = drawn("04.9", name).given["log"]
    failures = re.findall(r"from (\S+)  AUTH USER \[(\S+)\]", log)
    lines = Counter(ip for ip, _user in failures)
    users = Counter(ip for ip, _user in set(failures))

    assert (users.most_common(1)[0][0], lines.most_common(1)[0][0] == drawn("04.9", name).right) == (
        drawn("04.9", name).right,
        False,
    )


@pytest.mark.parametrize("number", ["04.4", "04.5", "04.6", "04.7", "04.9"])
def test_every_line_is_one_that_the_programs_write(number):
    """No line of an exercise's log is unknown to the grammar."""
    lines = drawn(number).given["log"].splitlines()

    assert [line for line in lines if parse_line(line.encode()).kind == "unknown"] == []


# --- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "answer", "words"),
    [
        ("04.1", "yesterday", "in this form"),
        ("04.1", "2010-03-15 03:00:54", "Not then"),
        ("04.2", {"A": "maybe", "B": "later", "C": "later"}, "A: take one of the names"),
        ("04.3", set("ABCDEF"), "Not all of them"),
        ("04.4", "bob", "An address is wanted"),
        ("04.4", "bob@example.org", "not in the log"),
        ("04.5", "long", "whole seconds"),
        ("04.5", 7, "Not so long"),
        ("04.7", {"messages": 1}, "A dictionary with messages, attempts"),
        ("04.8", set("ABCDEF"), "Not all of them"),
        ("04.9", "bob", "An address is wanted"),
        ("04.9", "10.0.0.1", "not in the log"),
    ],
)
def test_an_unknown_mistake_is_told_by_its_form(number, answer, words):
    """What nobody foresaw is still looked at."""
    assert words in judged(number, answer)


@pytest.mark.parametrize("name", NUMBERS)
def test_each_wrong_number_has_its_sentence(name):
    """04.7: one number is wrong, and the sentence is about that one."""
    right = drawn("04.7").right

    assert judged("04.7", right | {name: right[name] + 1}).partition(": ")[2][1:] == NUMBER_MISTAKES[name][1:]


def test_a_number_may_be_a_text_and_must_be_one():
    """04.7: "3" is as good as 3; three is not."""
    right = drawn("04.7").right

    assert (
        judged("04.7", {name: str(number) for name, number in right.items()}),
        judged("04.7", right | {"messages": "three"}),
    ) == (None, "messages: a whole number is wanted.")


@pytest.mark.parametrize("choice", NEXT)
def test_each_wrong_end_has_its_sentence(choice):
    """04.2: for a learner whose A is another one, the sentence says what speaks against it."""
    said = [judged("04.2", {**drawn("04.2", name).right, "A": choice}, name) for name in NAMES]

    assert {text[:3] for text in said if text is not None} == {"A: "}


@pytest.mark.parametrize("number", ["04.3", "04.8"])
def test_a_letter_too_many_is_named(number):
    """The letter that does not belong, with the reason; one too few is said and not named."""
    right = drawn(number).right
    extra = min(set("ABCDEF") - right)

    assert (judged(number, right | {extra})[:2], "one is missing" in judged(number, right - {max(right)})) == (
        f"{extra} ",
        True,
    )
