"""Eavesdropper: what a listener has after each mechanism, and a dictionary attack on what he captured."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import anywidget
import ipywidgets as w
import traitlets as t

from indimail_kit.auth import cram
from indimail_kit.auth.eavesdrop import Guess, common_words, guesses_cram
from indimail_kit.errors import KitError, LabError
from indimail_kit.visible import visible
from indimail_kit.widgets import auth_markup
from indimail_kit.widgets.html import style_sheet
from indimail_kit.widgets.runner import Ended, run, run_here
from indimail_kit.widgets.scripts import script
from indimail_kit.widgets.static_view import StaticView

SEED_CHALLENGE: Final = "<20137.1267585100@indimail.org>"
"""The seed text's challenge."""

SEED_RESPONSE: Final = "postmaster@example.com cee8397ab123a0d4f3a7fddbb9cb8719"
"""The seed text's response, public since 2010."""

CHUNK_WORDS: Final = 250
"""Words between two pictures."""

IDLE: Final = (
    "The listener has the two lines above and nothing else. Press the button: his machine tries word after word."
)

_MASK: Final = "****"


class AttackPanel(anywidget.AnyWidget):
    """The part that a browser draws: what was captured, the button, the bar, the outcome.

    Attributes:
        challenge: As captured.
        response: As captured; masked where it was made from a password that somebody typed.
        tried: Words tried so far.
        total: Words of the list.
        words_per_s: Speed (unit: words/s).
        sentence: What is going on; a live region.
        tone: Class of the sentence.
        busy: Whether an attack is going on.
    """

    _esm = script("eavesdropper.js")
    _css = style_sheet()

    challenge = t.Unicode("").tag(sync=True)
    response = t.Unicode("").tag(sync=True)
    tried = t.Int(0).tag(sync=True)
    total = t.Int(0).tag(sync=True)
    words_per_s = t.Float(0.0).tag(sync=True)
    sentence = t.Unicode(IDLE).tag(sync=True)
    tone = t.Enum(("ik-quiet", "ik-good", "ik-bad"), default_value="ik-quiet").tag(sync=True)
    busy = t.Bool(default_value=False).tag(sync=True)


class Eavesdropper(StaticView, w.VBox):  # type: ignore[misc]  # ipywidgets is untyped
    """A listener on the wire: a table of what he has, and an attack before your eyes.

    A password that you type to be listened to is used once and kept nowhere; a word that is found then goes to the
    browser as a message and is in no saved notebook. `auth.eavesdrop.guess_cram` gives the same as a value.

    Attributes:
        table: What a listener has after each mechanism.
        panel: The attack.
        guess: How far the last attack came, None before the first.
    """

    guess = t.Instance(Guess, allow_none=True)

    def __init__(
        self,
        challenge: str = SEED_CHALLENGE,
        response: str = SEED_RESPONSE,
        *,
        words: Sequence[str] | None = None,
        pause_s: float = 0.03,
        **traits: Any,
    ) -> None:
        """Show an exchange that was captured.

        Args:
            challenge: Of CRAM-MD5, with its angle brackets.
            response: User, blank, digest; after Base64.
            words: What to try; `common_words()` unless given.
            pause_s: Pause after each chunk, so that an eye can follow (unit: s); it does not count as time.
            traits: Other traits.
        """
        self._words = tuple(words) if words is not None else common_words()
        self._pause_s = pause_s
        self._response = response
        self._starting = threading.Lock()
        self.table = w.HTML(str(auth_markup.listener_html()))
        self.panel = AttackPanel(challenge=challenge, total=len(self._words))
        super().__init__(children=[self.table, self.panel], **traits)
        self.add_class("ik-journey")
        self.table.add_class("ik-html")
        self._show_response()
        self.panel.on_msg(self._on_message)

    def __repr__(self) -> str:
        """Return the view in words."""
        return f"Eavesdropper: {len(self._words):,} words. {self.panel.sentence}"

    def static_html(self) -> str:
        """Return the same as HTML that needs no kernel."""
        captured = (("S", self.panel.challenge), ("C", self.panel.response))
        return str(auth_markup.eavesdropper_html(captured, said=self.panel.sentence))

    def listen(self, passwd: str) -> None:
        """Capture a login with another password; only its digest is kept, and that in this process only.

        Raises:
            SaslError: The password is empty or holds NUL.
        """
        user = self._response.partition(" ")[0]
        challenge = self.panel.challenge.encode("utf-8")
        self._response = cram.encode_response(challenge, authcid=user, passwd=passwd).decode("utf-8")
        self._show_response()

    def attack(self) -> Guess:
        """Try every word, wait for the outcome, and return it.

        Raises:
            LabError: An attack is going on.
            SaslError: The response is none.
        """
        ended = run_here(self._begin(), self._show)
        self._end(ended)
        return ended.outcome()

    def _on_message(self, _panel: object, content: dict[str, Any], _buffers: object) -> None:
        if self.panel.busy:
            return
        if "secret" in content:
            self._listen_safely(str(content["secret"]))
        elif content.get("attack"):
            run(self._begin, self._show, self._end)

    def _listen_safely(self, passwd: str) -> None:
        try:
            self.listen(passwd)
            self.panel.tone, self.panel.sentence = "ik-quiet", IDLE
        except KitError as error:
            self.panel.tone, self.panel.sentence = "ik-bad", visible(f"There is no such login: {error}.")

    def _begin(self) -> Callable[[Callable[[Guess], None]], Guess]:
        with self._starting:
            if self.panel.busy:
                raise LabError("an attack that is going on")
            self.panel.busy = True
        self.panel.tried, self.panel.words_per_s = 0, 0.0
        self.panel.tone, self.panel.sentence = "ik-quiet", "Trying …"
        self.panel.send({"word": ""})
        challenge, response = self.panel.challenge.encode("utf-8"), self._response.encode("utf-8")
        return lambda tell: self._try_words(challenge, response, tell)

    def _try_words(self, challenge: bytes, response: bytes, tell: Callable[[Guess], None]) -> Guess:
        last = Guess(None, 0, 0.0)
        for last in guesses_cram(challenge, response, self._words, chunk_words=CHUNK_WORDS):
            tell(last)
            time.sleep(self._pause_s)
        return last

    def _show(self, guess: Guess) -> None:
        with self.panel.hold_sync():
            self.panel.tried, self.panel.words_per_s = guess.tried, guess.words_per_s

    def _end(self, ended: Ended[Guess]) -> None:
        guess = ended.result
        if guess is not None:
            self.guess = guess
            self._show(guess)
            self.panel.tone, self.panel.sentence = self._outcome(guess)
            self.panel.send({"word": visible(guess.word or "")})
        else:
            self.panel.tone, self.panel.sentence = "ik-bad", visible(f"No attack: {ended.error}.")
        self.panel.busy = False

    def _outcome(self, guess: Guess) -> tuple[str, str]:
        """Return tone and sentence; the word itself only where it is public."""
        took = f"{guess.elapsed * 1000:,.0f} ms of computing, {guess.words_per_s:,.0f} words a second"
        if not guess.is_found:
            return (
                "ik-good",
                f"Not found: none of {guess.tried:,} words, {took}. A listener would now take a longer list.",
            )
        word = f"“{guess.word}”" if self._is_public else "the password"
        return (
            "ik-bad",
            f"Found: {word} is word {guess.tried:,} of {len(self._words):,}, {took}. The server saw nothing.",
        )

    @property
    def _is_public(self) -> bool:
        return (self.panel.challenge, self._response) == (SEED_CHALLENGE, SEED_RESPONSE)

    def _show_response(self) -> None:
        user = self._response.partition(" ")[0]
        self.panel.response = self._response if self._is_public else visible(f"{user} {_MASK}")
        self.panel.send({"response": visible(self._response), "word": ""})
