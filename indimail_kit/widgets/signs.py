"""The signs of the kit: one word, one mark and one class for each state, the same in every widget.

Colour is never the only sign: the word is always there, the mark differs in shape, the class gives colour and outline.

Source: LOOK, "Roles have colour + letter + shape".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from indimail_kit.lab.journey import StationState
from indimail_kit.qhpsi.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Sign:
    """How a state is written and drawn.

    Attributes:
        word: The word, always shown.
        mark: One character, a shape of its own.
        cls: Class of style.css: colour and outline.
        meaning: One sentence for the legend.
    """

    word: str
    mark: str
    cls: str
    meaning: str

    def __str__(self) -> str:
        """Return word and mark: ``INFECTED ✕``."""
        return f"{self.word} {self.mark}"


VERDICTS: Final = {
    verdict.value: Sign(verdict.words, verdict.mark, cls, meaning)
    for verdict, cls, meaning in (
        (Verdict.CLEAN, "ik-clean", "The scanner answered OK, exactly."),
        (Verdict.INFECTED, "ik-infected", "The scanner named a signature."),
        (Verdict.NOT_SCANNED, "ik-not-scanned", "Nobody looked, or not at all of it. That is not clean."),
        (Verdict.ERROR, "ik-error", "The scanner could not answer. That is not clean."),
    )
}
"""Verdict of a scan -> its sign. Solid, solid, dashed, dotted outline."""

NO_VERDICT: Final = Sign("no scan", "–", "ik-none", "The mail did not come as far as the scanner.")
"""The sign when there was no scan."""

STATES: Final = {
    StationState.WAITING: Sign("waiting", "○", "ik-waiting", "The mail has not come here."),
    StationState.WORKING: Sign("working", "◐", "ik-working", "The mail is here now."),
    StationState.DONE: Sign("done", "✓", "ik-done", "The station did its work."),
    StationState.FAILED: Sign("failed", "✕", "ik-failed", "The station said no, or could not do its work."),
    StationState.SKIPPED: Sign("skipped", "–", "ik-skipped", "The mail never came here, or did not need to."),
}
"""State of a station -> its sign."""

ENDINGS: Final = {
    "clean": Sign("clean", "✓", "ik-clean", "Queued with X-QHPSI: clean."),
    "marked": Sign("marked", "⚑", "ik-marked", "Queued with X-QHPSI: Virus found; a filter may sort it."),
    "forwarded": Sign("forwarded", "➜", "ik-forwarded", "Queued for VIRUSFORWARD instead of its recipients."),
    "quarantined": Sign("kept", "▣", "ik-kept", "Queued for QUARANTINE instead of its recipients."),
    "refused": Sign("refused", "✕", "ik-infected", "554: the client must not try again."),
    "swallowed": Sign("swallowed", "∅", "ik-swallowed", "250, and the mail is thrown away."),
    "later": Sign("later", "!", "ik-error", "451: no verdict, the client tries again. Never clean by accident."),
    "crashed": Sign("later", "‼", "ik-error", "451: a signal ended the scanner, the client tries again."),
    "unscanned": Sign("unscanned", "?", "ik-not-scanned", "Queued without a header: nobody looked. That is not clean."),
}
"""What becomes of a mail after QHPSI -> its sign."""

NUMBERS: Final = "①②③④⑤⑥⑦"
"""The number of each station, in the order of STATION_KEYS."""

REJECT_VIRUS: Final = (("0 · mark it", 0), ("1 · refuse", 1), ("2 · swallow", 2))
"""What REJECTVIRUS does, as labels and values. Source: facts of qmail-queue.c, qhpsiprog()."""


def verdict_sign(verdict: str) -> Sign:
    """Return the sign of a verdict; ERROR's for a word that is none, since unknown is never clean."""
    return VERDICTS.get(verdict, VERDICTS["ERROR"]) if verdict else NO_VERDICT


def sign_of_words(words: str) -> Sign | None:
    """Return the sign of a verdict written as a person reads it, None for other words."""
    return next((sign for sign in VERDICTS.values() if sign.word == words), None)
