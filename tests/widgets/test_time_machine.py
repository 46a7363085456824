"""QueueTimeMachine by its traits: set, read, clicked; on tapes of the real qmail-queue."""

from __future__ import annotations

import json

import pytest
import traitlets as t

from indimail_kit.lab.tapes import TITLES, record_lesson_tapes
from indimail_kit.mailqueue.tape import Tape
from indimail_kit.mailqueue.values import SYNC_NAMES
from indimail_kit.widgets.scripts import SWITCHES, script
from indimail_kit.widgets.tape_fates import MODELS
from indimail_kit.widgets.time_machine import AS_RECORDED, SYNC_TITLES, QueueTimeMachine

COMES_IN, GOES_OUT, COMES_BACK = TITLES


@pytest.fixture(scope="module")
def tapes() -> dict[tuple[str, str], Tape]:
    """The lessons."""
    return record_lesson_tapes(seed=1)


@pytest.fixture
def machine(tapes) -> QueueTimeMachine:
    """A machine before the first step."""
    return QueueTimeMachine(tapes)


def marks(machine: QueueTimeMachine) -> str:
    """Return the marks on the slider."""
    return "".join(notch["mark"] for notch in machine.deck.notches)


def files(machine: QueueTimeMachine) -> dict[str, int]:
    """Return how many files lie in each drawer that is not empty."""
    counts = {drawer["kind"]: sum(file["is_there"] for file in drawer["files"]) for drawer in machine.deck.drawers}
    return {kind: count for kind, count in counts.items() if count}


def test_a_machine_starts_before_the_first_step_of_the_first_tape(machine):
    """Safe, killed, nothing done, nothing crashed."""
    deck = machine.deck

    assert (deck.title, deck.sync, deck.model, deck.step, deck.state) == (COMES_IN, "safe", "process", 0, "S1")
    assert (deck.crashed, machine.crash_panel.value, machine.file_panel.value, files(machine)) == (False, "", "", {})


def test_the_slider_moves_files_states_and_the_clients_answer(machine):
    """From Python or from the browser: the drawers fill, the lamp moves on, at the end the client has its 250."""
    seen = []
    for step in (4, 7, 12, 15):
        machine.deck.step = step
        seen.append((files(machine), machine.deck.state, machine.deck.acknowledged))

    assert seen == [
        ({"pid": 1, "mess": 1}, "S2", False),
        ({"mess": 1, "intd": 1}, "S3", False),
        ({"mess": 1, "intd": 1, "todo": 1}, "S4", False),
        ({"mess": 1, "intd": 1, "todo": 1}, "S4", True),
    ]
    assert machine.step == 15


@pytest.mark.parametrize("step", [16, 10**9])
def test_a_step_beyond_the_end_is_the_end(machine, step):
    """A browser that still has a longer tape cannot break the link between the two."""
    machine.deck.step = step

    assert (machine.step, machine.deck.step) == (15, 15)


def test_a_step_before_the_start_is_refused(machine):
    """There is nothing before nothing."""
    with pytest.raises(t.TraitError):
        machine.step = -1


def test_a_crash_shows_what_may_be_left_and_moves_with_the_slider(machine):
    """It stays crashed while the step changes, and the live region says how it ends."""
    machine.deck.crashed = True
    first = machine.crash_panel.value
    machine.step = 15

    assert ("Nothing is left in the queue." in first, "Then bob@example.com" in machine.crash_panel.value) == (
        True,
        True,
    )
    assert (machine.deck.sentence[:47], machine.deck.tone) == (
        "Crash behind step 15 of 15, the answer: kept ✓.",
        "ik-good",
    )


def test_after_a_crash_the_drawers_hold_a_disk_the_worst_first(machine):
    """Each disk that is possible can be put into the drawers, with its state, its verdict and what comes next."""
    machine.sync, machine.model, machine.step, machine.crashed = "indimail", "unordered", 11, True
    first = (machine.deck.fate["word"], machine.deck.state, files(machine))
    machine.deck.disk = machine.deck.disks - 1
    last = (machine.deck.fate["word"], machine.deck.state, files(machine))

    assert (first, last) == (
        ("LOST", "S3", {"mess": 1, "intd": 1}),
        ("kept", "S4", {"pid": 1, "mess": 1, "todo": 1}),
    )
    assert machine.deck.fate["text"].startswith("State S4. todo-proc finds todo/…/")


def test_disks_that_were_not_looked_at_are_counted(machine):
    """Billions of combinations: the view says how many it left out, aloud and in the panel."""
    machine.title, machine.sync, machine.model, machine.crashed = COMES_BACK, "indimail", "unordered", True
    machine.step = len(machine.tape)

    assert "disks were looked at, more are possible: " in machine.deck.sentence
    assert f"{machine.fate.left_out:,} more combinations were not looked at" in machine.crash_panel.value


def test_a_lost_name_is_shown_as_lost(machine):
    """What is not there any more is what a person looks for."""
    machine.sync, machine.model, machine.step, machine.crashed = "indimail", "unordered", 11, True
    todo = next(drawer for drawer in machine.deck.drawers if drawer["kind"] == "todo")

    assert [(file["change"], file["is_there"]) for file in todo["files"]] == [("lost", False)]


def test_each_move_begins_with_the_worst_disk(machine):
    """Another step, model or sync setting has other disks; undoing the crash has none."""
    machine.sync, machine.model, machine.step, machine.crashed = "indimail", "unordered", 11, True
    seen = []
    for name, value in (("step", 10), ("model", "ordered"), ("sync", "qmail"), ("crashed", False)):
        machine.disk = 1
        before = machine.disk
        setattr(machine, name, value)
        seen.append((before, machine.disk, machine.deck.disk))

    assert seen == [(1, 0, 0)] * 4


@pytest.mark.parametrize("disk", [1, 10**9])
def test_a_disk_beyond_the_last_is_the_last(machine, disk):
    """When the program is killed there is only one."""
    machine.crashed = True
    machine.deck.disk = disk

    assert (machine.disk, machine.deck.disk, machine.deck.disks) == (0, 0, 1)


def test_an_opened_file_after_a_crash_is_the_disks(machine):
    """The mail that was there is not the mail that is left."""
    machine.sync, machine.model, machine.step = "indimail", "unordered", 11
    machine.opened = next(
        one["key"] for drawer in machine.deck.drawers for one in drawer["files"] if drawer["kind"] == "todo"
    )
    before = machine.file_panel.value
    machine.crashed = True

    assert ("bob@example.com" in before, "not there on this disk" in machine.file_panel.value) == (True, True)


def test_undoing_the_crash_shows_the_step_again(machine):
    """The panel goes, the sentence is the step's."""
    machine.step, machine.crashed = 12, True
    machine.crashed = False

    assert (machine.crash_panel.value, machine.deck.sentence[:13], machine.deck.tone) == (
        "",
        "Step 12 of 15",
        "ik-quiet",
    )


def test_the_switches_change_the_verdict(machine):
    """At the answer: kept whatever happens when all is synced, lost with a power loss when it is not."""
    machine.step, machine.crashed = 15, True
    seen = {}
    for sync in SYNC_NAMES:
        for model in MODELS:
            machine.deck.sync, machine.deck.model = sync, model
            seen[sync, model] = (machine.fate.worst.name, machine.deck.tone)

    lost = {key for key, value in seen.items() if value == ("LOST", "ik-bad")}
    assert lost == {(sync, model) for sync in ("qmail", "indimail") for model in ("ordered", "unordered")}
    assert {value for key, value in seen.items() if key not in lost} == {("KEPT", "ik-good")}


def test_the_marks_on_the_slider_are_the_worst_of_each_step(machine):
    """The whole story at a glance: nothing, twice, kept; without any sync nothing, broken, lost."""
    before = marks(machine)
    machine.sync, machine.model = "indimail", "unordered"

    assert (before, marks(machine)) == ("○" * 12 + "②" * 3 + "✓", "○" * 9 + "!!✕")
    assert machine.deck.notches[-1]["label"] == "step 11 of 11, the answer; a crash here: LOST ✕"


def test_synchronous_directories_are_a_switch(machine):
    """Plain qmail on a file system with dirsync keeps its promise; the switch shows the option of mount."""
    machine.sync, machine.model, machine.step = "qmail", "unordered", 13
    before = machine.fate.worst.name
    machine.deck.dirsync = True

    assert (before, machine.fate.worst.name) == ("LOST", "KEPT")
    assert machine.deck.fields[-1]["shows"] == "-o dirsync"


def test_another_sync_setting_stays_at_the_same_place(machine):
    """From the link to todo to the link to todo, from the answer to the answer."""
    machine.step = 12
    machine.sync = "indimail"
    link = machine.step
    machine.step = 11
    machine.sync = "safe"

    assert (link, machine.tape.steps[machine.step - 1].call) == (9, "exit")


def test_another_tape_has_its_own_drawers(machine):
    """A delivery: channels, mailboxes, and a bounce that is a message of its own."""
    machine.title = COMES_BACK
    kinds = [drawer["kind"] for drawer in machine.deck.drawers]
    seen = {}
    for step in range(len(machine.tape) + 1):
        machine.step = step
        seen |= files(machine)

    assert (kinds[-1], sorted(seen)) == (
        "mailboxes",
        ["bounce", "info", "intd", "local", "mailboxes", "mess", "pid", "todo"],
    )


def test_a_second_message_is_named(machine):
    """While the bounce is queued, its state stands below the lamps."""
    machine.title = COMES_BACK
    said = set()
    for step in range(len(machine.tape) + 1):
        machine.step = step
        said.add(machine.deck.also[:31])

    assert said == {"", "Beside it in the queue: message "[:31]}


def test_an_opened_file_follows_the_slider(machine):
    """The octets at each step; Esc or another click closes it."""
    machine.step = 12
    key = next(one["key"] for drawer in machine.deck.drawers for one in drawer["files"] if drawer["kind"] == "todo")
    machine.deck.opened = key
    there = machine.file_panel.value
    machine.step = 11
    gone = machine.file_panel.value
    machine.deck.opened = ""

    assert ("carol@example.net" in there, "not there after step 11" in gone, machine.file_panel.value) == (
        True,
        True,
        "",
    )


@pytest.mark.parametrize(
    ("name", "value"), [("title", "a moon landing"), ("sync", "sometimes"), ("model", "earthquake")]
)
def test_what_is_not_on_tape_cannot_be_chosen(machine, name, value):
    """A clear error, and all stays as it is."""
    with pytest.raises(t.TraitError):
        setattr(machine, name, value)

    assert (machine.title, machine.sync, machine.model) == (COMES_IN, "safe", "process")


def test_one_tape_alone_is_enough(tapes):
    """Its sync setting is as recorded."""
    machine = QueueTimeMachine(tapes[GOES_OUT, "qmail"], step=3)

    assert (machine.title, machine.sync, machine.step, AS_RECORDED in SYNC_TITLES) == (GOES_OUT, AS_RECORDED, 3, False)


def test_a_hole_among_the_tapes_is_named(tapes):
    """Each title needs each sync setting, or a switch would lead nowhere."""
    some = {key: tape for key, tape in tapes.items() if key != (GOES_OUT, "qmail")}

    with pytest.raises(ValueError, match="'a mail goes out', 'qmail'"):
        QueueTimeMachine(some)


def test_no_tape_at_all_is_an_error():
    """There is nothing to show."""
    with pytest.raises(ValueError, match="at least one tape"):
        QueueTimeMachine({})


def test_switches_show_what_they_set(machine):
    """The command line's option beside the sync setting; every choice has words."""
    fields = {field["trait"]: field for field in machine.deck.fields}

    assert fields["sync"]["shows"] == "--sync safe"
    assert [value for _, value in fields["sync"]["options"]] == list(SYNC_NAMES) == list(SYNC_TITLES)
    assert [value for _, value in fields["model"]["options"]] == list(MODELS)
    assert fields["title"]["options"] == [[title, title] for title in TITLES]


def test_a_machine_in_words(machine):
    """Settings, step, and the crash."""
    machine.step, machine.crashed = 15, True

    assert repr(machine).startswith(
        "QueueTimeMachine: a mail comes in, sync: files + directories (safe), a crash is: the program is killed. Step "
    )
    assert "Crash behind step 15 of 15, the answer: kept ✓." in repr(machine)


def test_a_machine_without_a_kernel_is_html(machine, strangers, parse):
    """Drawers, lamps, the crash, and every step with its verdict under each model."""
    machine.step, machine.crashed = 12, True
    bundle = machine._repr_mimebundle_()
    html = bundle["text/html"]

    said = parse(html).text
    expected = ("power loss, any disk", "links 1 → 2", "Crash behind step 12", "preprocessed", "What the signs mean")
    assert (strangers(html), [text for text in expected if text not in said]) == ([], [])
    assert bundle["text/plain"] == repr(machine)


def test_a_machine_is_few_widgets_and_little_state(machine):
    """Four children whatever the tape; the worst crash of the longest tape stays below 400,000 characters."""
    sizes = []
    for title in TITLES:
        machine.title, machine.sync, machine.model, machine.crashed = title, "indimail", "unordered", True
        machine.step = len(machine.tape) // 2
        state = {name: getattr(machine.deck, name) for name in machine.deck.keys if not name.startswith("_")}
        sizes.append(len(machine.crash_panel.value) + len(json.dumps(state, default=str)))

    assert (len(machine.children), max(sizes) < 400_000) == (4, True)


def test_hostile_titles_stay_text(tapes, payloads, strangers):
    """A title may be anything; it is a text in HTML, and every notebook can hold it."""
    machine = QueueTimeMachine({(value, "safe"): tapes[COMES_IN, "safe"] for value in payloads}, crashed=True)
    kept = json.dumps(machine.deck.fields, ensure_ascii=False).encode()
    outputs = []
    for title in list(dict.fromkeys(title for title, _ in machine.tapes))[::10]:
        machine.title = title
        outputs.append(machine.static_html())

    assert (strangers("".join(outputs)), len(outputs) > 5, len(kept) > 10_000) == ([], True, True)


def test_the_script_is_one_module_with_the_switches(tapes):
    """The common part, the switches, then the machine."""
    assert QueueTimeMachine(next(iter(tapes.values()))).deck._esm == script("time_machine.js", SWITCHES)
