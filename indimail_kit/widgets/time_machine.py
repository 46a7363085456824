"""QueueTimeMachine: move through a recorded enqueue or delivery step by step, and crash anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import anywidget
import ipywidgets as w
import traitlets as t

from indimail_kit.mailqueue.crash import CRASH_MODELS, CrashModel
from indimail_kit.mailqueue.states import QueueState
from indimail_kit.mailqueue.tape import QueueImage, Tape
from indimail_kit.visible import visible
from indimail_kit.widgets import tape_markup
from indimail_kit.widgets.html import EMPTY, Html, style_sheet
from indimail_kit.widgets.scripts import SWITCHES, script
from indimail_kit.widgets.static_view import StaticView
from indimail_kit.widgets.tape_fates import DIRSYNC, MODELS, VERDICT_SIGNS, Fate, crash_table
from indimail_kit.widgets.tape_view import (
    STATES,
    call_text,
    client_sentence,
    disk_drawers,
    drawers,
    others_sentence,
    same_place,
    step_sentence,
)

Tapes = Mapping[tuple[str, str], Tape]
"""(title, name of the sync setting) -> its tape."""

SYNC_TITLES: Final = {
    "safe": "files + directories (safe)",
    "qmail": "files (qmail)",
    "indimail": "none (IndiMail as built)",
}
"""Name of a sync setting -> what it brings to the disk, for the switch."""

AS_RECORDED: Final = "as recorded"
"""Name of the sync setting of a tape that came alone."""

_TONES: Final = {"ik-tape-kept": "ik-good", "ik-tape-lost": "ik-bad"}


class TapeDeck(anywidget.AnyWidget):
    """The part that a browser draws: switches, slider, states, drawers.

    Attributes:
        title: Title of the tape.
        sync: Name of the sync setting.
        model: Persistence model.
        step: The step; 0 is before the first.
        dirsync: Whether every change of a directory waits for the disk.
        crashed: Whether the machine has crashed behind it.
        disk: Place of the disk in the drawers after a crash, the worst first, from 0.
        disks: How many there may be.
        fate: Verdict of that disk as word, mark, class and text.
        opened: Key of the opened file, "" for none.
        fields: The switches, as switches.js takes them.
        states: The five states, as names with meanings.
        notches: Mark, class and label for each place of the slider.
        drawers: See `tape_view.Drawer.as_document`.
        state: Name of the state, "" where no state has these files.
        also: The states of other messages, in words.
        client: What the client knows.
        acknowledged: Whether it has its 250.
        sentence: What is seen, in words; a live region.
        tone: Class of the sentence.
    """

    _esm = script("time_machine.js", SWITCHES)
    _css = style_sheet()

    title = t.Unicode("").tag(sync=True)
    sync = t.Unicode("").tag(sync=True)
    model = t.Enum(tuple(CRASH_MODELS), default_value="process").tag(sync=True)
    step = t.Int(0, min=0).tag(sync=True)
    dirsync = t.Bool(default_value=False).tag(sync=True)
    crashed = t.Bool(default_value=False).tag(sync=True)
    disk = t.Int(0, min=0).tag(sync=True)
    disks = t.Int(1).tag(sync=True)
    fate = t.Dict().tag(sync=True)
    opened = t.Unicode("").tag(sync=True)
    fields = t.List(t.Dict()).tag(sync=True)
    states = t.List(t.Dict(), default_value=list(STATES)).tag(sync=True)
    notches = t.List(t.Dict()).tag(sync=True)
    drawers = t.List(t.Dict()).tag(sync=True)
    state = t.Unicode("").tag(sync=True)
    also = t.Unicode("").tag(sync=True)
    client = t.Unicode("").tag(sync=True)
    acknowledged = t.Bool(default_value=False).tag(sync=True)
    sentence = t.Unicode("").tag(sync=True)
    tone = t.Enum(("ik-quiet", "ik-good", "ik-bad"), default_value="ik-quiet").tag(sync=True)


class QueueTimeMachine(StaticView, w.VBox):  # type: ignore[misc]  # ipywidgets is untyped
    """A slider over recorded steps: what lies in the queue after each, what is on the disk, and what a crash leaves.

    Nothing is read or written here: the tapes were recorded before, see `lab.tapes.record_lesson_tapes`. The same as
    values: `Tape.state`, `Tape.durable`, `mailqueue.crash_states`, `tables.crash_frame`, and `crash_table` for the
    marks on the slider. A notebook that is saved holds the octets that are shown: the opened file, and the disks after
    a crash; the lessons' mail is made for that.

    Attributes:
        tapes: The tapes by (title, sync setting).
        title: Title of the tape that is shown.
        sync: Its sync setting: "safe", "qmail", "indimail".
        model: Persistence model: "process", "ordered", "unordered".
        step: The step; 0 is before the first.
        dirsync: Whether every change of a directory waits for the disk.
        crashed: Whether the machine has crashed behind it.
        disk: Place of the disk in the drawers after a crash, the worst first, from 0; it is 0 after each move.
        opened: Path of the opened file, "" for none.
        deck: The part that a browser draws.
        file_panel: The opened file.
        crash_panel: What the crash leaves.
    """

    title = t.Unicode("")
    sync = t.Unicode("")
    model = t.Enum(tuple(CRASH_MODELS), default_value="process")
    step = t.Int(0, min=0)
    dirsync = t.Bool(default_value=False)
    crashed = t.Bool(default_value=False)
    disk = t.Int(0, min=0)
    opened = t.Unicode("")

    def __init__(self, tapes: Tapes | Tape, **traits: Any) -> None:
        self.tapes = _checked({(tapes.title, AS_RECORDED): tapes} if isinstance(tapes, Tape) else tapes)
        self._fates: dict[tuple[str, str, CrashModel, bool], tuple[Fate, ...]] = {}
        self._shown: Tape | None = None
        self.deck = TapeDeck()
        self.file_panel, self.crash_panel = w.HTML(), w.HTML()
        legend = w.HTML(str(tape_markup.legend_html()))
        first_title, first_sync = next(iter(self.tapes))
        traits = {"title": first_title, "sync": first_sync, **traits}
        super().__init__(children=[self.deck, self.crash_panel, self.file_panel, legend], **traits)
        self.add_class("ik-journey")
        for part in (self.file_panel, self.crash_panel, legend):
            part.add_class("ik-html")
        for name in ("title", "sync", "model", "dirsync", "crashed", "opened"):
            t.link((self, name), (self.deck, name))
        self.deck.observe(self._on_slider, ("step", "disk"))
        self._shown = self.tape
        self._draw()

    def __repr__(self) -> str:
        """Return the view in words."""
        crashed = f" {self._crash_words()}" if self.crashed else ""
        return visible(f"QueueTimeMachine: {self._settings()}. {step_sentence(self.tape, self.step)}{crashed}")

    @property
    def tape(self) -> Tape:
        """Return the tape of title and sync setting."""
        return self.tapes[self.title, self.sync]

    @property
    def fates(self) -> tuple[Fate, ...]:
        """Return what a crash may mean behind each step, under the chosen model."""
        return self._table(self.model)

    @property
    def fate(self) -> Fate:
        """Return what a crash behind this step may mean, under the chosen model."""
        return self.fates[self.step]

    def static_html(self) -> str:
        """Return the same as HTML that needs no kernel."""
        fates = {words: self._table(model) for model, (words, _) in MODELS.items()}
        panel = self._crash_html()
        return str(tape_markup.machine_html(self.tape, self.step, settings=self._settings(), panel=panel, fates=fates))

    @t.validate("title")
    def _check_title(self, proposal: t.Bunch) -> str:
        return _one_of(proposal.value, [title for title, _ in self.tapes], "the title of a tape")

    @t.validate("sync")
    def _check_sync(self, proposal: t.Bunch) -> str:
        return _one_of(proposal.value, [sync for _, sync in self.tapes], "a sync setting of the tapes")

    @t.validate("step")
    def _check_step(self, proposal: t.Bunch) -> int:
        tape = self.tapes.get((self.title, self.sync))
        return min(int(proposal.value), len(tape) if tape is not None else 0)

    @t.validate("disk")
    def _check_disk(self, proposal: t.Bunch) -> int:
        return min(int(proposal.value), self.fate.disks - 1) if self.crashed and self._shown is not None else 0

    @t.observe("title", "sync")
    def _on_tape(self, _change: t.Bunch) -> None:
        if self._shown is None or self.tape is self._shown:
            return
        step = same_place(self._shown, self.step, self.tape)
        self._shown = self.tape
        self.step = step
        self._draw()

    def _on_slider(self, change: t.Bunch) -> None:
        # No link: a browser may still have a longer tape's last step, and a link would break at our smaller answer.
        setattr(self, change.name, change.new)
        self.deck.set_trait(change.name, getattr(self, change.name))

    @t.observe("step", "model", "dirsync", "crashed")
    def _on_move(self, _change: t.Bunch) -> None:
        if self._shown is not None:
            self._draw()

    @t.observe("disk")
    def _on_disk(self, _change: t.Bunch) -> None:
        if self._shown is not None:
            self._draw_drawers()

    @t.observe("opened")
    def _draw_file(self, _change: object = None) -> None:
        where = "on this disk" if self.crashed else f"after step {self.step}"
        html = tape_markup.file_html(self._image(), self.opened, where=where) if self.opened else EMPTY
        self.file_panel.value = str(html)

    def _image(self) -> QueueImage:
        """Return what is in the drawers."""
        return self.fate.all_disks[self.disk].image if self.crashed else self.tape.image(self.step)

    def _draw(self) -> None:
        tape, number, fates = self.tape, self.step, self.fates
        self.disk = 0
        with self.deck.hold_sync():
            self.deck.step = number
            self.deck.fields = self._fields()
            self.deck.notches = [_notch(tape, fate) for fate in fates]
            self.deck.client, self.deck.acknowledged = client_sentence(tape, number), tape.acknowledged(number)
            self.deck.sentence = self._crash_words() if self.crashed else step_sentence(tape, number)
            self.deck.tone = _TONES.get(fates[number].sign.cls, "ik-quiet") if self.crashed else "ik-quiet"
            self._draw_drawers()
        self.crash_panel.value = str(self._crash_html(has_buttons=True))

    def _draw_drawers(self) -> None:
        tape, number, image = self.tape, self.step, self._image()
        shown = disk_drawers(tape.image(number), image) if self.crashed else drawers(tape, number)
        state = image.state(tape.layout, tape.message_number) if tape.message_number else QueueState.S1
        with self.deck.hold_sync():
            self.deck.drawers = [drawer.as_document() for drawer in shown]
            self.deck.state = state.name if state else ""
            self.deck.also = others_sentence(tape, image)
            self.deck.disk, self.deck.disks = self.disk, self.fate.disks
            self.deck.fate = self._fate_document() if self.crashed else {}
        self._draw_file()

    def _fate_document(self) -> dict[str, str]:
        sign = VERDICT_SIGNS[self.fate.all_disks[self.disk].verdict]
        text = tape_markup.disk_sentence(self.fate, self.disk)
        return {"word": sign.word, "mark": sign.mark, "cls": sign.cls, "text": text}

    def _crash_words(self) -> str:
        return tape_markup.crash_sentence(self.tape, self.fate)

    def _crash_html(self, *, has_buttons: bool = False) -> Html:
        if not self.crashed:
            return EMPTY
        return tape_markup.crash_html(self.tape, self.fate, has_dirsync=self.dirsync, has_buttons=has_buttons)

    def _table(self, model: CrashModel) -> tuple[Fate, ...]:
        key = (self.title, self.sync, model, self.dirsync)
        if key not in self._fates:
            self._fates[key] = crash_table(self.tape, model, synchronous_directories=self.dirsync)
        return self._fates[key]

    def _settings(self) -> str:
        return f"{self.title}, sync: {_sync_title(self.sync)}, a crash is: {MODELS[self.model][0]}"

    def _fields(self) -> list[dict[str, Any]]:
        """Return the switches."""
        titles = {title: title for title, _ in self.tapes}
        syncs = {sync: _sync_title(sync) for _, sync in self.tapes}
        return [
            _field("title", "list", "tape", titles),
            _field("sync", "choice", "on the disk first", syncs, f"--sync {self.sync}"),
            _field("model", "choice", "a crash is", {model: words for model, (words, _) in MODELS.items()}),
            _field("dirsync", "switch", DIRSYNC.rstrip("."), {False: "no", True: "yes"}, "-o dirsync" * self.dirsync),
        ]


def _checked(given: Tapes) -> dict[tuple[str, str], Tape]:
    """Return the tapes; hidden characters of a title are written out, so that every notebook can hold it.

    Raises:
        ValueError: There is none, or a title lacks one of the sync settings.
    """
    tapes = {(visible(title), sync): tape for (title, sync), tape in given.items()}
    titles = dict.fromkeys(title for title, _ in tapes)
    missing = [(title, sync) for title in titles for _, sync in tapes if (title, sync) not in tapes]
    if missing:
        raise ValueError(f"a tape for each title with each sync setting, {missing[0]!r} is missing")
    if not tapes:
        raise ValueError("at least one tape")
    return tapes


def _one_of(value: str, allowed: list[str], expected: str) -> str:
    if value not in allowed:
        raise t.TraitError(f"{expected}: {', '.join(map(repr, dict.fromkeys(allowed)))}; not {value!r}")
    return value


def _sync_title(sync: str) -> str:
    return SYNC_TITLES.get(sync, sync)


def _field(trait: str, kind: str, caption: str, options: Mapping[Any, str], shown: str = "") -> dict[str, Any]:
    return {
        "trait": trait,
        "kind": kind,
        "caption": caption,
        "shows": shown,
        "is_set": bool(shown),
        "options": [[text, value] for value, text in options.items()],
        "most": 0,
    }


def _notch(tape: Tape, fate: Fate) -> dict[str, str]:
    words = f"step {fate.number} of {len(tape)}, {call_text(tape, fate.number)}; a crash here: {fate.sign}"
    return {"mark": fate.sign.mark, "cls": fate.sign.cls, "label": words}
