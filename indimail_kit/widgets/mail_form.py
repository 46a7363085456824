"""The form in which a mail is written: who, how, to whom, what, and with or without the test virus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import ipywidgets as w
import traitlets as t

from indimail_kit.widgets.rail import SecretField
from indimail_kit.widgets.signs import REJECT_VIRUS

UNKNOWN_RECIPIENT: Final = "nobody@example.com"
"""An address without a mailbox, offered beside the users so that a bounce is one choice away."""

DEMO_HINT: Final = "the demo password"
"""What the shut field for the password says."""


class MailForm(w.VBox):  # type: ignore[misc]  # ipywidgets is untyped
    """A mail to be sent. Each trait is a field; set it from Python or by hand.

    Attributes:
        sender: Who logs in and sends.
        mechanism: SASL mechanism.
        is_demo_password: Whether the lab's demo password is used; else what is typed in `password`.
        recipient: To whom.
        subject: The subject.
        body: The text.
        is_infected: Whether the test virus is attached.
        reject_virus: REJECTVIRUS for this mail: 0, 1 or 2.
        password: The field for a password of one's own; emptied after use.
        send_button: The button.
    """

    sender = t.Unicode()
    mechanism = t.Unicode("CRAM-MD5")
    is_demo_password = t.Bool(default_value=True)
    recipient = t.Unicode()
    subject = t.Unicode("Lunch on Friday")
    body = t.Unicode("Hello Bob,\nshall we eat at noon?\nAnn")
    is_infected = t.Bool(default_value=False)
    reject_virus = t.Enum(tuple(value for _, value in REJECT_VIRUS), default_value=0)

    def __init__(self, *, users: Sequence[str], mechanisms: Sequence[str], **traits: Any) -> None:
        to = [*users, UNKNOWN_RECIPIENT]
        controls = {
            "sender": _labelled(w.Combobox(options=list(users), description="from", ensure_option=False), "2.6em"),
            "mechanism": _labelled(w.Dropdown(options=list(mechanisms), description="mechanism"), "6.4em"),
            "is_demo_password": w.Checkbox(description="use the demo password", indent=False),
            "recipient": _labelled(w.Combobox(options=to, description="to", ensure_option=False), "2.6em"),
            "subject": _labelled(w.Text(description="subject"), "6.4em"),
            "body": _labelled(w.Textarea(description="text", rows=3), "2.6em"),
            "is_infected": w.Checkbox(description="attach the test virus (EICAR, harmless)", indent=False),
            "reject_virus": _labelled(w.ToggleButtons(options=REJECT_VIRUS, description="REJECTVIRUS"), "initial"),
        }
        self.password = SecretField(description="password", placeholder=DEMO_HINT, disabled=True)
        self.send_button = w.Button(description="Send", tooltip="Send this mail through the lab")
        for name, control in {**controls, "password": self.password, "send_button": self.send_button}.items():
            control.add_class("ik-field")
            control.add_class("ik-f-" + name.removeprefix("is_").replace("_", "-"))
        sender, recipient = (users[index % len(users)] for index in (1, 2))
        traits = {"sender": sender, "recipient": recipient} | traits
        order = ("sender", "mechanism", "recipient", "subject", "body", "is_infected", "reject_virus")
        login = w.HBox([self.password, controls["is_demo_password"]])
        login.add_class("ik-login")
        children = [controls[name] for name in order]
        children.insert(2, login)
        super().__init__(children=[*children, self.send_button], **traits)
        self.add_class("ik-form")
        for name, control in controls.items():
            t.link((self, name), (control, "value"))

    @t.observe("is_demo_password")
    def _on_demo_password(self, change: t.Bunch) -> None:
        self.password.disabled = change.new
        self.password.placeholder = DEMO_HINT if change.new else "used once, then gone"

    def take_order(self) -> dict[str, Any]:
        """Return the arguments of `Lab.send`, and forget a password that was typed."""
        order = {
            "sender": self.sender,
            "mechanism": self.mechanism,
            "recipient": self.recipient,
            "subject": self.subject,
            "body": self.body,
            "attach": "eicar" if self.is_infected else "none",
            "reject_virus": self.reject_virus,
        }
        if not self.is_demo_password:
            order["passwd"] = self.password.value
            self.password.forget()
        return order


def _labelled(control: Any, width: str) -> Any:
    control.style.description_width = width
    return control
