"""The form of ScanPanel: a mail written or dropped, the scanner, the policy, each switch with the variable it sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import anywidget
import traitlets as t

from indimail_kit.errors import LabError
from indimail_kit.lab.mail import ATTACHMENTS
from indimail_kit.visible import visible
from indimail_kit.widgets.html import style_sheet
from indimail_kit.widgets.policy import (
    CLEAN_FIELD,
    FORWARD_FIELD,
    INFECTED_FIELD,
    MAX_BYTES_FIELD,
    MIN_BYTES_FIELD,
    QUARANTINE_FIELD,
    REJECT_FIELD,
    Field,
    Policy,
    can_stand_in_environment,
)
from indimail_kit.widgets.scripts import SWITCHES, script

MAX_DROP_BYTES: Final = 5 * 2**20
"""Largest mail that may be dropped (unit: octets); what is larger is scanned where it lies, by `indimail-kit scan`."""

IDLE: Final = "Drop or write a mail, set the policy, press Send."

SCANNERS: Final = (("the lab's own", "lab"), ("the embedded rules", "embedded"), ("none", "none"))
"""Scanners as labels and values."""

_ATTACH: Final = {
    "none": "nothing",
    "eicar": "the test virus, in the text",
    "eicar-base64": "the test virus, as a Base64 part",
    "eicar-zip": "the test virus, in a zip",
}
"""Kind of attachment -> for people."""

POLICY_TRAITS: Final = (
    *("reject_virus", "virus_forward", "quarantine", "min_bytes", "max_bytes", "infected_rc", "clean_rc"),
)
"""Traits that are fields of a Policy."""

SCANNER_FIELD: Final = Field("scanner", "list", "scanner", "QHPSI", SCANNERS)

MOST: Final = 2**31 - 1
"""Largest number that a variable is set to; qmail-queue keeps it in an int."""


class ScanForm(anywidget.AnyWidget):
    """A mail to send and what applies to it; each trait is a field, a dropped mail is none.

    Attributes:
        sender: Envelope sender, who logs in.
        recipient: Envelope recipient.
        subject: Subject of a written mail.
        body: Text of a written mail.
        attach: What hangs on a written mail, see `lab.mail.ATTACHMENTS`.
        scanner: "lab", "embedded" or "none".
        trouble: Trouble of the lab's scanner, "" for none.
        reject_virus: REJECTVIRUS.
        virus_forward: VIRUSFORWARD, "" for none.
        quarantine: QUARANTINE, "" for none.
        min_bytes: QHPSIMINSIZE (unit: octets).
        max_bytes: QHPSIMAXSIZE (unit: octets).
        infected_rc: QHPSIRC.
        clean_rc: QHPSIRN.
        shown: Number of the scan that is asked for in the list, 0 for none.
        fields: The switches, see `policy.Field.as_document`.
        busy: Whether a mail is on its way.
        sentence: What is going on; a live region.
        tone: Class of the sentence.
    """

    _esm = script("scan_form.js", SWITCHES)
    _css = style_sheet()

    sender = t.Unicode().tag(sync=True)
    recipient = t.Unicode().tag(sync=True)
    subject = t.Unicode("Invoice").tag(sync=True)
    body = t.Unicode("Please see below.\n").tag(sync=True)
    attach = t.Enum(ATTACHMENTS, default_value="none").tag(sync=True)
    attachments = t.List(t.List(t.Unicode())).tag(sync=True)
    scanner = t.Enum(tuple(value for _, value in SCANNERS), default_value="lab").tag(sync=True)
    trouble = t.Unicode("").tag(sync=True)
    reject_virus = t.Int(0, min=0, max=MOST).tag(sync=True)
    virus_forward = t.Unicode("").tag(sync=True)
    quarantine = t.Unicode("").tag(sync=True)
    min_bytes = t.Int(0, min=0, max=MOST).tag(sync=True)
    max_bytes = t.Int(0, min=0, max=MOST).tag(sync=True)
    infected_rc = t.Int(1, min=0, max=255).tag(sync=True)
    clean_rc = t.Int(0, min=0, max=255).tag(sync=True)
    most_bytes = t.Int(MAX_DROP_BYTES).tag(sync=True)
    shown = t.Int(0).tag(sync=True)
    fields = t.List(t.Dict()).tag(sync=True)
    busy = t.Bool(default_value=False).tag(sync=True)
    sentence = t.Unicode(IDLE).tag(sync=True)
    tone = t.Enum(("ik-quiet", "ik-good", "ik-bad"), default_value="ik-quiet").tag(sync=True)

    def __init__(
        self,
        *,
        users: Sequence[str],
        qhpsi: Callable[[], str],
        troubles: Sequence[tuple[str, str]] = (),
        on_send: Callable[[], None] = lambda: None,
        **traits: Any,
    ) -> None:
        """Show an empty form.

        Args:
            users: Addresses with a mailbox.
            qhpsi: Gives the value of QHPSI that stands for the lab's own scanner.
            troubles: Troubles of the scanner as labels and values.
            on_send: Called when the button is pressed.
            traits: Other traits.
        """
        self._octets: bytes | None = None
        self._held = ""
        self._qhpsi = qhpsi
        self._on_send = on_send
        options = (("none", ""), *troubles)
        own = (Field("trouble", "list", "trouble", "", options),) if troubles else ()
        self._fields = (SCANNER_FIELD, *own, *_POLICY_FIELDS)
        sender, recipient = (users[index % len(users)] for index in (1, 2))
        traits = {"sender": sender, "recipient": recipient} | traits
        super().__init__(attachments=[[kind, _ATTACH[kind]] for kind in ATTACHMENTS], **traits)
        self.on_msg(self._on_message)
        self._draw()

    @property
    def policy(self) -> Policy:
        """Return what the switches say."""
        qhpsi = None if self.scanner == "none" else self._qhpsi()
        return Policy(qhpsi=qhpsi, **{name: getattr(self, name) for name in POLICY_TRAITS})

    @property
    def dropped_bytes(self) -> int:
        """Return the size of the dropped mail (unit: octets), 0 when none was dropped."""
        return len(self._octets or b"")

    def drop(self, octets: bytes, name: str = "") -> None:
        """Hold a whole mail instead of the written one; it is kept in this process only.

        Args:
            octets: The mail.
            name: Of the file it comes from, or "".

        Raises:
            LabError: The mail is larger than may be dropped, or empty.
        """
        if not octets:
            raise LabError("a mail that is not empty")
        if len(octets) > MAX_DROP_BYTES:
            raise LabError(_too_large(len(octets)))
        self._octets = bytes(octets)
        self._held = visible(f"{name or 'a mail'} · {len(octets):,} octets")
        self.send({"held": self._held})
        self.tone, self.sentence = "ik-quiet", f"A mail of {len(octets):,} octets is ready to be sent."

    def take_away(self) -> None:
        """Forget the dropped mail; the written one counts again."""
        self._octets, self._held = None, ""
        self.send({"held": ""})
        self.tone, self.sentence = "ik-quiet", IDLE

    def order(self) -> dict[str, Any]:
        """Return the arguments of `Lab.send`."""
        envelope = {"sender": self.sender, "recipient": self.recipient}
        if self._octets is not None:
            return envelope | {"message": self._octets}
        return envelope | {"subject": self.subject, "body": self.body, "attach": self.attach}

    def close(self) -> None:
        """Close the form and forget the dropped mail."""
        self._octets, self._held = None, ""
        super().close()

    @t.validate("virus_forward", "quarantine")
    def _check_address(self, proposal: t.Bunch) -> str:
        if not can_stand_in_environment(proposal.value):
            raise t.TraitError("an address that can stand in an environment")
        return str(proposal.value)

    @t.observe("scanner", "trouble", *POLICY_TRAITS)
    def _on_switch(self, _change: t.Bunch) -> None:
        if self.fields:
            self._draw()

    def _on_message(self, _form: object, content: dict[str, Any], buffers: Sequence[Any]) -> None:
        if "drop" in content:
            self._drop_safely(bytes(buffers[0]) if buffers else b"", str(content["drop"]))
        elif "refused" in content:
            self.tone, self.sentence = "ik-bad", _refusal(content["refused"])
        elif content.get("leave"):
            self.take_away()
        elif content.get("hello"):
            self.send({"held": self._held})
        elif content.get("send"):
            self._on_send()

    def _drop_safely(self, octets: bytes, name: str) -> None:
        try:
            self.drop(octets, name)
        except LabError as error:
            self.tone, self.sentence = "ik-bad", visible(f"Not taken: {error}.")

    def _draw(self) -> None:
        policy = self.policy
        self.fields = [field.as_document(policy) for field in self._fields]


_POLICY_FIELDS: Final = (
    REJECT_FIELD,
    FORWARD_FIELD,
    QUARANTINE_FIELD,
    MIN_BYTES_FIELD,
    MAX_BYTES_FIELD,
    INFECTED_FIELD,
    CLEAN_FIELD,
)


def _too_large(size_bytes: int) -> str:
    return (
        f"a mail of {size_bytes:,} octets; at most {MAX_DROP_BYTES:,} can be dropped. "
        "Scan a larger one where it lies: indimail-kit scan FILE"
    )


def _refusal(why: dict[str, Any]) -> str:
    """Return why the page did not take a file, in words."""
    if "size" in why:
        return f"Not taken: {_too_large(int(why['size']))}."
    if "count" in why:
        return f"Not taken: {int(why['count'])} files at once. Drop one mail."
    return "Not taken: the browser cannot read this file."
