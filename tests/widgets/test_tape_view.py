"""A tape as drawers, as fates, and as HTML: hand-made tapes for what cannot be recorded, recorded ones for the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from indimail_kit.envelope import Envelope
from indimail_kit.errors import QueueError
from indimail_kit.mailqueue import INDIMAIL, QMAIL, SAFE, QueueLayout, create_queue
from indimail_kit.mailqueue.crash import CrashVerdict, crash_states
from indimail_kit.mailqueue.image import FileImage, QueueImage
from indimail_kit.mailqueue.recorder import record_enqueue
from indimail_kit.mailqueue.tape import Tape, TapeStep
from indimail_kit.widgets import crash_table, tape_html
from indimail_kit.widgets.tape_fates import MODELS, VERDICT_SIGNS, crash_fate
from indimail_kit.widgets.tape_markup import crash_html, crash_sentence, file_html, legend_html, remains
from indimail_kit.widgets.tape_view import (
    ELSEWHERE,
    MAILBOXES,
    PURPOSES,
    call_text,
    client_sentence,
    disk_cards,
    disk_drawers,
    drawers,
    others_sentence,
    same_place,
    step_sentence,
)

LAYOUT = QueueLayout(Path("queue1"))
MAIL = b"Subject: hello\n\n" + b"a line of text\n" * 60
ENVELOPE = Envelope(b"ann@example.com", (b"bob@example.com",))
MESS, INTD, TODO = (f"{kind}/16/660188" for kind in ("mess", "intd", "todo"))


def image(mailboxes: dict[str, tuple[int, bytes]] | None = None, **files: tuple[int, bytes]) -> QueueImage:
    """Return an image of the seed's message: kind -> inode and octets."""
    made = {f"{kind}/16/660188": FileImage(inode, octets, 0o644, 0) for kind, (inode, octets) in files.items()}
    boxes = {path: FileImage(inode, octets, 0o600, 0) for path, (inode, octets) in (mailboxes or {}).items()}
    return QueueImage(made, boxes)


def tape(*steps: tuple[str, str, QueueImage], before: QueueImage | None = None) -> Tape:
    """Return a tape of calls, paths and what is there after each."""
    made = tuple(TapeStep(at, *step[:2], 660188, "A text.", step[2], False) for at, step in enumerate(steps, 1))
    return Tape("a hand-made tape", LAYOUT, before or image(), made, 660188)


def card(of: Tape, number: int, path: str):
    """Return the card of a path."""
    return next(one for drawer in drawers(of, number) for one in drawer.files if one.path == path)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> dict[str, Tape]:
    """The real qmail-queue with each sync policy."""
    tapes = {}
    for name, sync in (("safe", SAFE), ("qmail", QMAIL), ("indimail", INDIMAIL)):
        layout = create_queue(tmp_path_factory.mktemp(name) / "queue1", split=23)
        tapes[name] = record_enqueue(MAIL, ENVELOPE, layout=layout, sync=sync, qp=5104, uid=1000, host="mx.example.com")
    return tapes


def step_of(of: Tape, call: str, kind: str) -> int:
    """Return the first step with a call on a kind of file."""
    return next(step.number for step in of.steps if (step.call, step.path.split("/")[0]) == (call, kind))


# -- drawers -------------------------------------------------------------------------------------------------------


def test_the_drawers_are_always_the_same_eight():
    """From pid to bounce in the order of the queue, empty ones too."""
    of = tape(("open", MESS, image(mess=(660188, b""))))

    assert [drawer.kind for drawer in drawers(of, 0)] == list(PURPOSES) == [drawer.kind for drawer in drawers(of, 1)]
    assert list(PURPOSES) == ["pid", "mess", "intd", "todo", "info", "local", "remote", "bounce"]


def test_a_file_with_two_names_is_one_inode_with_two_links():
    """The link to todo: a new name in todo, and intd's links go from 1 to 2."""
    before = image(mess=(660188, MAIL), intd=(7, b"u0\0"))
    of = tape(("link", TODO, image(mess=(660188, MAIL), intd=(7, b"u0\0"), todo=(7, b"u0\0"))), before=before)

    intd, todo = card(of, 1, INTD), card(of, 1, TODO)
    assert (todo.change, todo.inode, todo.links) == ("new", 7, 2)
    assert (intd.change, intd.what, intd.facts[0]) == ("changed", "links 1 → 2", "inode 7 · 2 links")


def test_a_removed_name_is_shown_once_more():
    """The step that removes a name shows it struck out; the next step does not."""
    gone = image(mess=(660188, MAIL))
    of = tape(
        ("unlink", INTD, gone), ("trigger", "lock/trigger", gone), before=image(mess=(660188, MAIL), intd=(7, b""))
    )

    shown = next(drawer for drawer in drawers(of, 1) if drawer.kind == "intd")
    assert ([one.what for one in shown.files], shown.count) == (["removed"], 0)
    assert shown.as_document()["label"] == "intd, the envelope, while it is written: empty"
    assert not any(one.path == INTD for drawer in drawers(of, 2) for one in drawer.files)


@pytest.mark.parametrize(
    ("was", "now", "what"),
    [
        pytest.param(b"", MAIL, f"+{len(MAIL)} B", id="written"),
        pytest.param(MAIL, b"", f"-{len(MAIL)} B", id="emptied"),
        pytest.param(b"Tbob\0", b"Dbob\0", "changed", id="a mark in place"),
        pytest.param(MAIL, MAIL, "", id="untouched"),
    ],
)
def test_what_a_step_did_to_a_file(was, now, what):
    """Octets more or less are said with their number."""
    of = tape(("write", MESS, image(mess=(660188, now))), before=image(mess=(660188, was)))

    assert card(of, 1, MESS).what == what


def test_another_file_under_an_old_name_is_new():
    """A name is only a way to an inode."""
    of = tape(("link", INTD, image(intd=(8, b""))), before=image(intd=(7, b"")))

    assert card(of, 1, INTD).change == "new"


def test_durable_octets_and_names_are_two_things(recorded):
    """An fsync brings the octets to the disk, the sync of the directory the name."""
    of = recorded["safe"]
    mess = f"mess/{of.message_number % 23}/{of.message_number}"
    at = [step_of(of, "write", "mess"), step_of(of, "fsync", "mess"), step_of(of, "fsyncdir", "mess")]
    cards = [card(of, number, mess) for number in at]

    size = cards[0].size_bytes
    seen = [(one.durable_bytes, one.is_name_durable, one.percent, one.change) for one in cards]
    assert seen == [(0, False, 0, "changed"), (size, False, 100, "synced"), (size, True, 100, "synced")]


def test_an_empty_file_has_nothing_on_the_disk():
    """Nought of nought octets is no full bar."""
    assert card(tape(("open", INTD, image(intd=(7, b"")))), 1, INTD).percent == 0


def test_mail_in_mailboxes_has_a_drawer_of_its_own():
    """Only on a tape that delivers, but there from its first step on."""
    new = "bob@example.com/new/1268622058.M1P2Q3.mx"
    of = tape(("link", new, image({new: (9, MAIL)}, mess=(660188, MAIL))), before=image(mess=(660188, MAIL)))

    assert [drawers(of, number)[-1].kind for number in (0, 1)] == [MAILBOXES, MAILBOXES]
    assert [(one.name, one.what) for one in drawers(of, 1)[-1].files] == [(new, "new")]


def test_a_name_that_no_drawer_has_is_shown_all_the_same():
    """What is not understood is kept and counted."""
    odd = QueueImage({"core": FileImage(3, b"x", 0o600, 0)})

    assert [(one.kind, one.count) for one in drawers(tape(("open", "core", odd)), 1)][-1] == (ELSEWHERE, 1)


@pytest.mark.parametrize("number", [-1, 2])
@pytest.mark.parametrize("ask", [drawers, call_text, step_sentence, client_sentence])
def test_a_step_that_is_not_on_the_tape_is_an_error(ask, number):
    """Both sides of the limit."""
    with pytest.raises(QueueError, match="between 0 and 1"):
        ask(tape(("chdir", ".", image())), number)


# -- sentences -----------------------------------------------------------------------------------------------------


def test_a_step_is_told_in_one_go(recorded):
    """Where, which call, why, and the state: what the live region reads."""
    of = recorded["safe"]
    said = step_sentence(of, step_of(of, "link", "todo"))

    number = of.message_number
    assert said == (
        f"Step 12 of 15, link todo/{number % 23}/{number}: The envelope gets a second name, todo/…/NUMBER: from here "
        "on the message is queued. State S4: queued."
    )


def test_the_client_knows_only_at_the_end(recorded):
    """Queued is not answered: the 250 is the last step."""
    of = recorded["indimail"]
    said = {client_sentence(of, number) for number in range(len(of))}

    assert (said, client_sentence(of, len(of))) == (
        {"The client has no answer yet: it still keeps the mail."},
        "The client has its 250: the mail is ours.",
    )


def test_files_without_a_state_are_said():
    """An intd alone is in no row of INTERNALS."""
    assert step_sentence(tape(("open", INTD, image(intd=(7, b"")))), 1).endswith("No state has these files.")


def test_another_message_is_named_with_its_state():
    """A bounce that is being queued beside the mail it tells about."""
    both = QueueImage({**image(mess=(660188, MAIL)).files, "mess/17/660189": FileImage(660189, b"", 0o644, 0)})
    of = tape(("link", "mess/17/660189", both), before=image(mess=(660188, MAIL)))

    said = "Beside it in the queue: message 660189, S2: the message is being written."
    assert [others_sentence(of, of.image(number)) for number in (0, 1)] == ["", said]


@pytest.mark.parametrize(
    ("call", "kind", "there"),
    [
        pytest.param("write", "intd", ("write", "intd"), id="the same step"),
        pytest.param("fsync", "intd", ("write", "intd"), id="no fsync there: the step before"),
        pytest.param("fsyncdir", "todo", ("link", "todo"), id="no sync of the directory there"),
    ],
)
def test_another_tape_is_entered_at_the_same_place(recorded, call, kind, there):
    """From the safe tape to IndiMail's, which has fewer steps."""
    old, new = recorded["safe"], recorded["indimail"]
    step = new.steps[same_place(old, step_of(old, call, kind), new) - 1]

    assert (step.call, step.path.split("/")[0]) == there


def test_the_ends_of_two_tapes_are_the_same_place(recorded):
    """Before the first step, and the answer."""
    old, new = recorded["safe"], recorded["qmail"]

    assert (same_place(old, 0, new), same_place(old, len(old), new)) == (0, len(new))


# -- fates ---------------------------------------------------------------------------------------------------------


def test_every_verdict_has_a_sign_of_its_own():
    """Word, mark and class differ, so that colour is never the only sign; the worst comes first."""
    signs = list(VERDICT_SIGNS.values())

    assert set(VERDICT_SIGNS) == set(CrashVerdict)
    assert [len({getattr(sign, name) for sign in signs}) for name in ("word", "mark", "cls")] == [len(signs)] * 3
    assert next(iter(VERDICT_SIGNS)) is CrashVerdict.LOST


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("sync", ["safe", "qmail", "indimail"])
def test_a_fate_is_what_crash_states_says(recorded, sync, model):
    """Nothing is judged anew: the same disks, the same worst verdict."""
    of = recorded[sync]
    fates = crash_table(of, model)
    sets = [crash_states(of, number, model) for number in range(len(of) + 1)]

    assert [fate.disks for fate in fates] == [len(found) for found in sets]
    assert [fate.worst for fate in fates] == [found.worst for found in sets]


def test_the_answer_is_safe_with_every_model_only_when_directories_are_synced(recorded):
    """What the switches are for: the last step of each tape."""
    worst = {
        (sync, model): crash_fate(of, len(of), model).worst.name for sync, of in recorded.items() for model in MODELS
    }

    assert worst == {
        ("safe", "process"): "KEPT",
        ("safe", "ordered"): "KEPT",
        ("safe", "unordered"): "KEPT",
        ("qmail", "process"): "KEPT",
        ("qmail", "ordered"): "LOST",
        ("qmail", "unordered"): "LOST",
        ("indimail", "process"): "KEPT",
        ("indimail", "ordered"): "LOST",
        ("indimail", "unordered"): "LOST",
    }


def test_synchronous_directories_save_plain_qmail(recorded):
    """With dirsync the names are on the disk at once, and qmail's fsync of the files is enough."""
    of = recorded["qmail"]

    assert crash_fate(of, len(of), "unordered", synchronous_directories=True).worst is CrashVerdict.KEPT


# -- HTML ----------------------------------------------------------------------------------------------------------


def test_a_crash_shows_each_verdict_with_disks_to_open(recorded, parse):
    """IndiMail as built, power lost behind the answer: lost and kept, with what is left and what comes next."""
    of = recorded["indimail"]
    fate = crash_fate(of, len(of), "unordered")
    shown = parse(str(crash_html(of, fate)))

    folded = [tag for tag, has in shown.elements if tag == "details" and has.get("class") == "ik-raw"]
    expected = (
        "Crash behind step 11: the answer",
        "LOST ✕",
        f"{fate.counts[CrashVerdict.LOST]:,} of {fate.disks:,} disks",
        "kept ✓",
        "The client has its 250 and has forgotten the mail.",
        "Then bob@example.com will get it.",
        "more disks with this verdict",
    )
    assert ([text for text in expected if text not in shown.text], len(folded) > 4) == ([], True)


def test_a_crash_opens_to_the_raw_records(recorded, parse):
    """Each record of the envelope with its letter, and the octets of the mail."""
    of = recorded["safe"]
    shown = parse(str(crash_html(of, crash_fate(of, len(of), "process")))).text

    expected = ("5104", "envelope sender", "ann@example.com", "Subject: hello", "mode 0644", "2 links")
    assert [text for text in expected if text not in shown] == []


def test_a_crash_is_read_aloud(recorded):
    """One disk: what becomes of it; several: how many of each verdict, and the worst."""
    safe, none = recorded["safe"], recorded["indimail"]
    one = crash_sentence(safe, crash_fate(safe, 0, "process"))
    many = crash_sentence(none, crash_fate(none, len(none), "unordered"))

    assert one.startswith("Crash behind step 0 of 15, before the first step: nothing ○. Nothing is left in the queue.")
    assert many.startswith("Crash behind step 11 of 11, the answer: ")
    assert many.endswith("kept ✓. At worst: lost, though the client has its 250.")


def test_what_remains_is_told_name_by_name():
    """Whole, cut, zeros, older, missing, still there."""
    live = image(mess=(1, MAIL), intd=(2, b"u0\0"), todo=(3, b"p1\0"), info=(4, b"Fx\0"), local=(5, b"Dx\0"))
    disk = image(mess=(1, MAIL[:512]), intd=(2, b"u0\0"), todo=(3, bytes(3)), local=(5, b"Tx\0"), remote=(6, b"Ty\0"))

    assert list(remains(live, disk)) == [
        "info/16/660188 lost",
        "intd/16/660188 whole",
        "local/16/660188 as before the last change",
        f"mess/16/660188 512 of {len(MAIL)} B",
        "remote/16/660188 still there",
        "todo/16/660188 zeros",
    ]


def test_a_disk_lies_in_the_same_drawers():
    """What is lost stays visible as lost; of what is there, so much as is there counts as on the disk."""
    live = image(mess=(660188, MAIL), intd=(7, b"u0\0"), todo=(7, b"u0\0"))
    disk = image(mess=(660188, MAIL[:512]), intd=(7, bytes(3)))
    cards = {one.path: one for drawer in disk_drawers(live, disk) for one in drawer.files}

    assert [drawer.kind for drawer in disk_drawers(live, disk)] == list(PURPOSES)
    shown = [(cards[path].is_there, cards[path].durable_bytes, cards[path].links) for path in (MESS, INTD, TODO)]
    assert shown == [(True, 512, 1), (True, 0, 1), (False, 0, 0)]


def test_a_file_of_zeros_that_was_written_so_is_whole():
    """Zeros are a loss only where there was something else."""
    live = image(mess=(660188, bytes(4)))

    assert [(one.what, one.durable_bytes) for one in disk_cards(live, live)] == [("", 4)]


def test_an_opened_file_shows_its_octets_as_they_are_at_that_step(recorded, parse):
    """Empty when opened, the records when written, gone before."""
    of = recorded["safe"]
    at = step_of(of, "open", "intd")
    key = f"intd/{of.message_number % 23}/{of.message_number}"
    texts = [parse(str(file_html(of.image(n), key, where=f"after step {n}"))).text for n in (at - 1, at, at + 1)]

    assert f"This name is not there after step {at - 1}." in texts[0]
    assert "It is empty" in texts[1]
    assert "bob@example.com" in texts[2]


def test_the_whole_tape_is_a_table_without_a_kernel(recorded, parse, strangers):
    """Each step a row, each model a column with its verdict."""
    of = recorded["qmail"]
    markup = str(tape_html(of, {words: crash_table(of, model) for model, (words, _) in MODELS.items()}))
    rows = [tag for tag, _ in parse(markup).elements if tag == "tr"]

    assert (strangers(markup), len(rows), "power loss, ordered journal" in markup) == ([], len(of) + 2, True)


def test_the_legend_explains_every_sign():
    """Each verdict and each change, in words."""
    said = str(legend_html())

    assert [sign.meaning for sign in VERDICT_SIGNS.values() if sign.meaning not in said] == []


def test_hostile_names_and_octets_stay_text(payloads, strangers):
    """A file name, an address, a title and a sentence may be anything."""
    outputs = []
    for value in payloads:
        path = "pid/" + value.replace("/", "|").replace("\0", "|")
        odd = QueueImage({path: FileImage(3, value.encode("utf-8", "surrogatepass"), 0o600, 0)})
        of = replace(tape(("open", path, odd)), title=value)
        key = drawers(of, 1)[0].files[0].key
        fates = {value: crash_table(of, "process")}
        outputs += [
            str(file_html(odd, key, where=value)),
            str(crash_html(of, fates[value][1])),
            str(tape_html(of, fates)),
        ]

    assert (len(outputs) > 100, strangers("".join(outputs))) == (True, [])
