"""SmtpConsole: type SMTP by hand, as in a telnet, with Base64 beside it and an explanation on wish."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

import anywidget
import ipywidgets as w
import traitlets as t

from indimail_kit.auth.annotate import Explanation, explain
from indimail_kit.auth.redact import format_dialogue
from indimail_kit.errors import LabError
from indimail_kit.lab.places import DEMO_PASSWORD
from indimail_kit.visible import visible
from indimail_kit.widgets import auth_markup
from indimail_kit.widgets.html import style_sheet
from indimail_kit.widgets.runner import Ended, run, run_here
from indimail_kit.widgets.scripts import script
from indimail_kit.widgets.smtp_dialogue import SmtpDialogue
from indimail_kit.widgets.static_view import StaticView

MAX_LINES: Final = 400
"""Most lines shown, the newest."""

MAX_TYPED_AHEAD: Final = 100
"""Most lines that wait while the server is waited for."""

IDLE: Final = "Not connected. Press Connect, then type a command, for example EHLO me and Enter."
READY: Final = "Your turn."
WAITING: Final = "Waiting for the server …"
AGAIN: Final = "Press Reconnect to begin again."


class TakesMail(Protocol):
    """What SmtpConsole needs of a lab; `indimail_kit.lab.Lab` is one."""

    @property
    def host(self) -> str:
        """Address that it listens on."""

    @property
    def port(self) -> int:
        """Port that it listens on."""

    @property
    def users(self) -> tuple[str, ...]:
        """Addresses that have the demo password."""


class ConsoleScreen(anywidget.AnyWidget):
    """The part that a browser draws: what was said, the line to type, Base64 both ways.

    What is typed comes as a message and what was said goes as one: neither is widget state. State is `lines`, masked.

    Attributes:
        lines: What was said, secrets masked: [who, text], who is "C", "S" or "-".
        state: Whether there is a connection.
        sentence: What is going on; a live region.
        tone: Class of the sentence.
        busy: Whether the server is waited for.
    """

    _esm = script("smtp_console.js")
    _css = style_sheet()

    lines = t.List(t.List(t.Unicode())).tag(sync=True)
    state = t.Enum(("new", "open", "closed"), default_value="new").tag(sync=True)
    sentence = t.Unicode(IDLE).tag(sync=True)
    tone = t.Enum(("ik-quiet", "ik-good", "ik-bad"), default_value="ik-quiet").tag(sync=True)
    busy = t.Bool(default_value=False).tag(sync=True)


class SmtpConsole(StaticView, w.VBox):  # type: ignore[misc]  # ipywidgets is untyped
    """A telnet to the lab: every line is yours, every reply is the server's own.

    Usable from Python alone: ``console.say("EHLO me")`` returns the reply's lines, ``console.explain()`` the
    explanation. What you typed within AUTH is kept in this process only, until you reconnect or close; a saved notebook
    has ``****`` in its place.

    Attributes:
        lab: The lab that is talked to.
        screen: The part that a browser draws.
        panel: The explanation.
    """

    sentence = t.Unicode(IDLE)

    def __init__(self, lab: TakesMail, *, timeout_s: float = 10.0, **traits: Any) -> None:
        self.lab = lab
        self.screen = ConsoleScreen()
        self.panel = w.HTML()
        self._dialogue = SmtpDialogue(lambda: (lab.host, lab.port), timeout_s=timeout_s)
        self._starting = threading.Lock()
        self._typed_ahead: deque[tuple[Callable[[], tuple[str, ...]], str | None]] = deque()
        self._explanation: Explanation | None = None
        super().__init__(children=[self.screen, self.panel], **traits)
        self.add_class("ik-journey")
        self.panel.add_class("ik-html")
        t.link((self, "sentence"), (self.screen, "sentence"))
        self.screen.on_msg(self._on_message)

    def __repr__(self) -> str:
        """Return the console in words."""
        count = len(self.screen.lines)
        return f"SmtpConsole: {count} lines, {self.screen.state}. {self.sentence}"

    def static_html(self) -> str:
        """Return the same as HTML that needs no kernel, secrets masked."""
        lines = ((who, text) for who, text in self.screen.lines)
        return str(auth_markup.console_html(lines, self._explanation, sentence=self.sentence))

    def connect(self) -> tuple[str, ...]:
        """Connect anew, forget what was said, and return the greeting.

        Raises:
            LabError: The lab does not run, or the server is waited for.
        """
        return self._result(run_here(self._begin(self._dialogue.connect, typed=None), lambda _update: None))

    def say(self, line: str) -> tuple[str, ...]:
        """Send a line and return the reply's lines; connects first where nothing is connected yet.

        Raises:
            LabError: The server is waited for, the connection is closed, or the line is longer than one may be.
        """
        if self.screen.state == "new":
            self.connect()
        return self._result(run_here(self._begin(lambda: self._dialogue.say(line), typed=line), lambda _update: None))

    def explain(self) -> Explanation:
        """Explain the dialogue so far, secrets masked, and show it."""
        users = frozenset(self.lab.users)
        explained = explain(self._dialogue.chunks, passwd_of=lambda user: DEMO_PASSWORD if user in users else None)
        self._explanation = explained
        self.panel.value = str(auth_markup.explanation_html(explained))
        return explained

    def close(self) -> None:
        """Close the connection and the widget, and forget what was typed."""
        self._typed_ahead.clear()
        self._dialogue.forget()
        self.screen.close()
        super().close()

    def _on_message(self, _screen: object, content: dict[str, Any], _buffers: object) -> None:
        if content.get("explain"):
            self.explain()
        elif content.get("connect"):
            self._start(self._dialogue.connect, typed=None)
        elif isinstance(line := content.get("say"), str):
            self._start(lambda: self._dialogue.say(line), typed=line)

    def _start(self, work: Callable[[], tuple[str, ...]], *, typed: str | None) -> None:
        if self.screen.busy:
            if len(self._typed_ahead) < MAX_TYPED_AHEAD:
                self._typed_ahead.append((work, typed))
            return
        run(lambda: self._begin(work, typed=typed), lambda _update: None, self._end_and_go_on)

    def _end_and_go_on(self, ended: Ended[tuple[str, ...]]) -> None:
        self._end(ended)
        if self._typed_ahead:
            work, typed = self._typed_ahead.popleft()
            self._start(work, typed=typed)

    def _begin(self, work: Callable[[], tuple[str, ...]], *, typed: str | None) -> Callable[[Any], tuple[str, ...]]:
        with self._starting:
            if self.screen.busy:
                raise LabError("a server that is waited for")
            self.screen.busy = True
        self.screen.tone, self.sentence = "ik-quiet", WAITING
        self.panel.value, self._explanation = "", None
        if typed is None:
            self.screen.send({"clear": True})
        else:
            self.screen.send({"lines": [["C", visible(typed)]]})
        return lambda _tell: work()

    def _result(self, ended: Ended[tuple[str, ...]]) -> tuple[str, ...]:
        self._end(ended)
        if ended.error is not None:
            raise ended.error
        return ended.result or ()

    def _end(self, ended: Ended[tuple[str, ...]]) -> None:
        reply = ended.result or ()
        trouble = _failure(ended.error) or self._dialogue.trouble
        live = [["S", visible(line)] for line in reply]
        if trouble:
            live.append(["-", visible(trouble)])
        self.screen.send({"lines": live})
        self.screen.lines = [*self._masked_lines(), *([["-", visible(trouble)]] if trouble else [])][-MAX_LINES:]
        self.screen.state = "open" if self._dialogue.is_open else "closed"
        self.screen.tone, self.sentence = self._said(reply, trouble)
        self.screen.busy = False

    def _masked_lines(self) -> list[list[str]]:
        rows = format_dialogue(self._dialogue.chunks, masks_unknown=True).splitlines()
        return [[row[:1], row[3:]] for row in rows]

    def _said(self, reply: tuple[str, ...], trouble: str) -> tuple[str, str]:
        """Return tone and sentence after a reply."""
        if reply and reply[-1].startswith("221"):
            return "ik-quiet", f"The server said goodbye. {AGAIN}"
        if trouble:
            return "ik-bad", visible(trouble) if self._dialogue.is_open else visible(f"{trouble} {AGAIN}")
        if not reply:
            return "ik-quiet", "A line of the mail's text: the server answers after a line with one dot."
        code = reply[-1][:3]
        meaning = _MEANINGS.get(code) or _CLASSES.get(code[:1], READY)
        return (
            "ik-good" if code == "235" else "ik-bad" if code[:1] in {"4", "5"} else "ik-quiet"
        ), f"{code}: {meaning}"


def _failure(error: BaseException | None) -> str:
    """Return what went wrong as a sentence; the text of an error that is not ours could quote a line."""
    if error is None:
        return ""
    return f"Not sent: {error}." if isinstance(error, LabError) else f"Not sent: {type(error).__name__}."


_MEANINGS: Final = {
    "220": "the server greets. Your turn.",
    "235": "you are logged in.",
    "334": "the server waits for your answer, in Base64; * cancels.",
    "354": "now the mail; a line with one dot ends it.",
    "535": "user or password are not right; the server does not say which.",
}
"""Reply code -> what it says. Source: RFC 5321 section 4.2.2, RFC 4954 section 6."""

_CLASSES: Final = {"2": "done. Your turn.", "3": "go on.", "4": "not now; try later.", "5": "no."}
"""First digit -> what it says. Source: RFC 5321 section 4.2.1."""
