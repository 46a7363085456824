"""Lesson 03: the answers against other programs and recordings, and the sentence for each mistake."""

from __future__ import annotations

import random
import shutil
import subprocess

import pytest

from indimail_kit.course import EXERCISES
from indimail_kit.course.exercise import learner_named
from indimail_kit.course.lesson_03_crash import EARLY, FATES, LATE
from indimail_kit.course.lesson_03_places import QUEUE_MISTAKES
from indimail_kit.course.lesson_03_repair import RENAME_MISTAKES
from indimail_kit.course.lesson_03_states import sets_of
from indimail_kit.course.queue_cases import CASES, listing, read_listing
from indimail_kit.lab.tapes import TITLES, record_lesson_tapes
from indimail_kit.mailqueue import KINDS, QueueState
from indimail_kit.mailqueue.crash import CrashVerdict, crash_states

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


# --- the answers, by other ways -------------------------------------------------------------------------------------


def test_the_place_is_the_remainder():
    """03.1: for the seed's number, 660188 and split 151, the directory is 16, as in its clamd line."""
    values = drawn("03.1")
    number = int(values.right.rpartition("/")[2])

    assert (values.right.split("/")[-2], 660188 % 151) == (str(number - number // 151 * 151), 16)


@pytest.mark.parametrize("name", NAMES[:10])
def test_a_wrong_name_differs_from_its_inode_or_lies_elsewhere(name):
    """03.2, worked out by hand."""
    rows = {letter: drawn("03.2", name).given[letter].replace("/", " ").split() for letter in "ABCDEF"}
    wrong = {
        letter
        for letter, (inode, _mess, folder, number) in rows.items()
        if inode != number or int(folder) != int(number) - int(number) // 151 * 151
    }

    assert wrong == drawn("03.2", name).right


@pytest.mark.parametrize("name", NAMES[:10])
def test_the_envelope_is_what_the_recorded_program_was_given(name):
    """03.3: F, T and NUL by hand, from the records of the todo file."""
    records = drawn("03.3", name).given["todo file"].split("\\0")
    sender = next(record for record in records if record.startswith("F"))
    recipients = [record for record in records if record.startswith("T")]

    assert drawn("03.3", name).right == "\\0".join([sender, *recipients, "", ""])


def test_an_envelope_with_real_nuls_counts_as_well():
    """03.3: who writes the octets themselves is understood."""
    assert judged("03.3", drawn("03.3").right.replace("\\0", "\0")) is None


@pytest.mark.parametrize("name", NAMES[:10])
def test_waiting_is_every_t(name):
    """03.4: the records that begin with T, by hand."""
    given = drawn("03.4", name).given
    records = (given["local file"] + given["remote file"]).split("\\0")

    assert solved("03.4", name) == {record[1:].upper() for record in records if record.startswith("T")}


def test_the_five_states_are_27_of_128_sets():
    """03.6 and 03.7: each set of files is counted once, as INTERNALS has it."""
    sizes = {state: len(sets_of(state)) for state in (*QueueState, None)}

    assert (sum(sizes.values()), sizes[None]) == (2 ** len(KINDS), 101)


@pytest.mark.parametrize("state", QueueState)
def test_each_state_is_asked_for(state):
    """03.6: over many learners each state but S1, which has no files, is right somewhere."""
    asked = {one for name in NAMES for one in drawn("03.6", name).right.values()}

    assert (state.name.lower() in asked) == (state is not QueueState.S1)


@pytest.mark.parametrize("name", NAMES[:10])
def test_the_next_attempt_by_floating_point(name):
    """03.8: floor(sqrt(age)) + 10 or 20, squared, with date's arithmetic in seconds of the day."""
    given = drawn("03.8", name).given
    birth, now = (
        sum(int(part) * unit for part, unit in zip(given[key].split(":"), (3600, 60, 1), strict=True))
        for key in ("info, last change", "this attempt begins")
    )
    due = birth + (int((now - birth) ** 0.5) + {"local": 10, "remote": 20}[given["channel"]]) ** 2

    assert drawn("03.8", name).right == f"{due // 3600:02}:{due // 60 % 60:02}:{due % 60:02}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_story_proves_its_reason_and_no_other(case):
    """03.9: for 200 listings of each reason, it is the first that is so."""
    now_s = 1_790_000_000
    rng = random.Random(3)  # noqa: S311 - the same again
    told = [case.story(rng, now_s) for _ in range(200)]

    assert {next(one.name for one in CASES if one.is_told(text, now_s)) for text in told} == {case.name}


def test_a_listing_is_read_as_it_was_written():
    """03.9: what the learner sees holds all that the reasons look at."""
    files = CASES[0].make(random.Random(1), 1_790_000_000)  # noqa: S311 - the same again

    assert read_listing(listing(files)) == files


def test_every_fate_is_asked_for():
    """03.10: over many learners each fate is right somewhere."""
    assert {fate for name in NAMES for fate in drawn("03.10", name).right.values()} == set(FATES)


@pytest.fixture(scope="module")
def tapes():
    """The real qmail-queue of the kit, recorded with each sync policy."""
    return record_lesson_tapes()


def fate_by_enumeration(tape, model, moment):
    """Return what the worst of all possible disks does to the mail."""
    call, kind = {"mess": ("link", "mess"), "intd": ("write", "intd"), "todo": ("link", "todo"), "exit": ("exit", "")}[
        moment
    ]
    step = next(one for one in tape.steps if one.call == call and one.path.startswith(kind))
    verdicts = {state.verdict for state in crash_states(tape, step.number, model)}
    fates = [
        fate
        for fate, all_of in (
            ("again", {CrashVerdict.GONE, CrashVerdict.BROKEN}),
            ("kept", {CrashVerdict.KEPT}),
        )
        if verdicts <= all_of
    ]
    return fates[0] if fates else "lost" if CrashVerdict.LOST in verdicts else "twice"


@pytest.mark.parametrize("crash", [*EARLY, *LATE], ids="-".join)
def test_the_fate_is_the_worst_of_all_possible_disks(tapes, crash):
    """03.10: every case, on a real tape: all disks that the model allows are enumerated."""
    assert fate_by_enumeration(tapes[TITLES[0], crash.sync], crash.model, crash.moment) == crash.fate


def test_nothing_is_lost_before_the_promise():
    """03.10: a client without its 250 keeps its mail."""
    assert {crash.fate for crash in EARLY} == {"again", "twice"}


@pytest.mark.skipif(shutil.which("mv") is None, reason="no mv here")
@pytest.mark.parametrize("name", NAMES[:12])
def test_mv_itself_repairs_the_queue(tmp_path, name):
    """03.11: the solution's lines, done by mv on real files, leave what has to be there, each where it belongs."""
    rows = [line.split() for line in drawn("03.11", name).given["ls -i"].splitlines()]
    for inode, path in rows:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(inode)
    for line in solved("03.11", name):
        _mv, old, new = line.split()
        (tmp_path / new).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mv", "-n", old, new], cwd=tmp_path, check=True, timeout=10)
    found = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    messes = {path: text for path, text in found.items() if path.parts[0] == "mess"}
    numbers = {path.name for path in messes}

    assert sorted(found.values()) == sorted(inode for inode, _path in rows)
    assert [path for path, text in messes.items() if path.name != text] == []
    assert [path for path in found if path.parts[0] != "bounce" and int(path.name) % 151 != int(path.parts[1])] == []
    assert {path.name for path in found} == numbers


# --- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "answer", "words"),
    [
        ("03.1", "todo/1/2", "below mess"),
        ("03.1", "/elsewhere/mess/1/2", "Not this file"),
        ("03.3", "Fann@example.com", "Write each NUL"),
        ("03.3", "u1\\0", "It begins with the record of the sender"),
        ("03.3", "Fann@example.com\\0\\0", "Nearly an envelope"),
        ("03.8", "soon", "A time of day is wanted"),
        ("03.8", "1:2:3", "Not at that time"),
        ("03.2", 7, "Letters are wanted"),
        ("03.2", {"Z"}, "none of the list"),
        ("03.2", set("ABCDEF"), "Not all of them"),
        ("03.7", set("ABCDEF"), "Not all of them"),
        ("03.5", "QUEUE_COUNT=3", "A dictionary is wanted"),
        ("03.5", {"QUEUES": "3"}, "Take these names"),
        ("03.5", {"QUEUE_COUNT": "many"}, "qmail-queue refuses this"),
        ("03.11", "cp a b", "Each line is mv"),
        ("03.11", ["mv mess/1/1 mess/2/2"], "a file that is not there"),
        ("03.11", ["mv 'a b"], "A quote"),
        ("03.11", 7, "A list of command lines is wanted"),
    ],
)
def test_an_unknown_mistake_is_told_by_its_form(number, answer, words):
    """What nobody foresaw is still looked at."""
    assert words in judged(number, answer)


@pytest.mark.parametrize("number", ["03.2", "03.7"])
def test_a_letter_in_order_is_named(number):
    """A letter too many: it is named, with what speaks for it."""
    right = drawn(number).right
    extra = min(set("ABCDEF") - right)

    assert judged(number, right | {extra}).startswith(f"{extra} is in order")


@pytest.mark.parametrize("number", ["03.2", "03.7"])
def test_a_missing_letter_is_not_told(number):
    """One too few: it says so, and not which."""
    right = drawn(number).right

    assert "one is missing" in judged(number, right - {min(right)})


def test_a_done_recipient_has_its_sentence():
    """03.4: D is done, and who failed for good stands in the bounce file."""
    values = drawn("03.4")
    failed = values.given["bounce file"].partition(":")[0]

    assert "failed for good" in judged("03.4", {*values.right, failed})


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        ({"QUEUEDIR": "/srv/mail/queue/queue3"}, "one"),
        ({"QUEUE_BASE": "/var/indimail/queue"}, "base"),
        ({"QUEUE_START": "1"}, "start"),
        ({"QUEUE_COUNT": "last"}, "last"),
        ({"QUEUE_COUNT": "fewer"}, "few"),
        ({"QUEUE_COUNT": "40"}, "many"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_variables_of_other_queues_have_their_sentence(change, mistake):
    """03.5: each variable that is wrong, one after the other."""
    right = solved("03.5")
    last = int(right["QUEUE_START"]) + int(right["QUEUE_COUNT"]) - 1
    words = {"last": str(last), "fewer": str(int(right["QUEUE_COUNT"]) - 1)}
    answer = right | {name: words.get(value, value) for name, value in change.items()}

    assert judged("03.5", answer) == QUEUE_MISTAKES[mistake]


def test_numbers_may_be_written_as_numbers():
    """03.5: 3 is as good as "3"."""
    right = solved("03.5")

    assert judged("03.5", right | {"QUEUE_COUNT": int(right["QUEUE_COUNT"])}) is None


@pytest.mark.parametrize("number", ["03.6", "03.9", "03.10"])
def test_each_wrong_choice_has_its_sentence(number):
    """Every other choice for A: the sentence begins with A and is no feedback without reason."""
    values = drawn(number)
    listed = next(values.given[name] for name in ("states", "causes", "fates") if name in values.given)
    names = [line.split()[0] for line in listed.splitlines()]
    wrong = [name for name in names if name != values.right["A"]]
    said = [judged(number, {**values.right, "A": name}) for name in wrong]

    assert [text for text in said if not text.startswith("A: ") or len(text) < 20] == []


def moved(learner, mistake):
    """Return commands with this mistake, for a learner whose message has a bounce file."""
    right = solved("03.11", learner)
    new = right[0].split("/")[-1]
    given = drawn("03.11", learner).given["ls -i"].splitlines()
    other = given[-1].split()[1]
    old_folder, new_folder = right[0].split("/")[1], str(int(new) % 151)
    return {
        "overwritten": [*right, f"mv {other} {right[1].split()[2]}"],
        "lost": [*right[:1], right[1].rpartition(" ")[0] + " elsewhere", *right[2:]],
        "other": [*right, f"mv {other} info/0/1"],
        "mess": right[1:],
        "own inode": [right[0], f"{right[1].rpartition('/')[0]}/{given[1].split()[0]}", *right[2:]],
        "old directory": [right[0].replace(f" mess/{new_folder}/", f" mess/{old_folder}/"), *right[1:]],
        "plain split": [right[0].replace(f" mess/{new_folder}/", f" mess/{int(new) % 23}/"), *right[1:]],
        "bounce": [line.replace(" bounce/" + new, f" bounce/{new_folder}/{new}") for line in right],
        "left": right[:1],
    }[mistake]


WITH_BOUNCE = next(name for name in NAMES if "bounce" in drawn("03.11", name).given["ls -i"])


@pytest.mark.parametrize("mistake", RENAME_MISTAKES)
def test_each_wrong_repair_has_its_sentence(mistake):
    """03.11: the commands are done on the names, and what is then wrong is said."""
    assert judged("03.11", moved(WITH_BOUNCE, mistake), WITH_BOUNCE) == RENAME_MISTAKES[mistake]
