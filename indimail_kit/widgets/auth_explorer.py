"""AuthExplorer: a login taken apart, byte by byte, with fields to change and answers to spoil."""

from __future__ import annotations

import secrets
from typing import Any, Final

import anywidget
import traitlets as t

from indimail_kit.auth.annotate import Explanation
from indimail_kit.auth.mechanisms import MECHANISMS, available_mechanisms
from indimail_kit.errors import KitError
from indimail_kit.lab.places import DEMO_PASSWORD
from indimail_kit.visible import visible
from indimail_kit.widgets import auth_markup
from indimail_kit.widgets.auth_bytes import ROLES, ByteRow, Login, explain_login, rows_of
from indimail_kit.widgets.html import style_sheet
from indimail_kit.widgets.scripts import script
from indimail_kit.widgets.static_view import StaticView

SEED_CHALLENGE: Final = "<20137.1267585100@indimail.org>"
"""The seed text's challenge; with its user and password the digest is cee8397a…"""


class AuthExplorer(StaticView, anywidget.AnyWidget):
    """One login: who says what, each byte with its role, the digest step by step.

    The password and what was edited are no widget state: they come from the browser as messages, and what is shown of
    them goes there as one. A saved notebook has ``****`` in their place.

    Attributes:
        mechanism: A name of MECHANISMS.
        authcid: The user.
        challenge: The server's challenge, for the CRAM family.
        rows: What is shown, masked, see `auth_bytes.ByteRow.as_document`.
        sentence: How it ended, in words; a live region.
        tone: Class of the sentence.
        mechanisms: The names to choose from.
        legend: Letter, class and meaning of each role.
    """

    _esm = script("auth_explorer.js")
    _css = style_sheet()

    mechanism = t.Enum(tuple(MECHANISMS), default_value="CRAM-MD5").tag(sync=True)
    authcid = t.Unicode("postmaster@example.com").tag(sync=True)
    challenge = t.Unicode(SEED_CHALLENGE).tag(sync=True)
    rows = t.List(t.Dict()).tag(sync=True)
    sentence = t.Unicode("").tag(sync=True)
    tone = t.Enum(("ik-quiet", "ik-good", "ik-bad"), default_value="ik-quiet").tag(sync=True)
    mechanisms = t.List(t.Unicode()).tag(sync=True)
    legend = t.List(t.List(t.Unicode())).tag(sync=True)

    def __init__(
        self,
        mechanism: str = "CRAM-MD5",
        authcid: str = "postmaster@example.com",
        challenge: str = SEED_CHALLENGE,
        *,
        passwd: str = DEMO_PASSWORD,
        **traits: Any,
    ) -> None:
        """Show a login.

        Args:
            mechanism: A name of MECHANISMS.
            authcid: The user.
            challenge: The server's challenge, for the CRAM family.
            passwd: The password; kept in this process only.
            traits: Other traits.
        """
        self._passwd = passwd
        self._edits: dict[int, str] = {}
        self._shows_secrets = False
        self._nonce = secrets.token_urlsafe(18)
        self._challenges = {
            name: row.new_challenge("mx.example.com", None)
            for name, row in MECHANISMS.items()
            if row.new_challenge is not None and row.is_available and not name.startswith("CRAM-")
        }
        self._explanation: Explanation | None = None
        self._masked: tuple[ByteRow, ...] = ()
        names = list(available_mechanisms())
        legend = [[role.letter, role.cls, role.meaning] for role in ROLES.values()]
        super().__init__(
            mechanism=mechanism, authcid=authcid, challenge=challenge, mechanisms=names, legend=legend, **traits
        )
        self.on_msg(self._on_message)
        self._draw()

    def __repr__(self) -> str:
        """Return the view in words."""
        return f"AuthExplorer: {self.mechanism} as {visible(self.authcid)}. {self.sentence}"

    def static_html(self) -> str:
        """Return the same as HTML that needs no kernel, secrets masked."""
        return str(auth_markup.explorer_html(self._masked, title=f"{self.mechanism}, byte by byte", said=self.sentence))

    @property
    def explanation(self) -> Explanation | None:
        """Return the explanation of the exchange, secrets masked; None when there is no exchange."""
        return self._explanation

    def edit(self, answer: int, text: str) -> None:
        """Send another Base64 text as the client's answer of this number (from 0), and look what the server says."""
        self._edits[answer] = text[: 4 * 4096]
        self._draw()

    def reset(self) -> None:
        """Take back every edit."""
        self._edits.clear()
        self._draw()

    def close(self) -> None:
        """Close the widget and forget the password."""
        self._passwd, self._shows_secrets = "", False
        self._edits.clear()
        super().close()

    @t.observe("mechanism", "authcid", "challenge")
    def _on_field(self, change: t.Bunch) -> None:
        if change.old is not t.Undefined and self.comm is not None:
            self.reset()

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        if "secret" in content:
            self._passwd = str(content["secret"]) or DEMO_PASSWORD
            self._edits.clear()
        if "edit" in content:
            self._edits[int(content["edit"][0])] = str(content["edit"][1])[: 4 * 4096]
        if content.get("reset"):
            self._edits.clear()
        self._shows_secrets = bool(content.get("show", self._shows_secrets))
        self._draw()

    def _login(self) -> Login:
        challenge = self._challenges.get(self.mechanism, b"")
        if self.mechanism.startswith("CRAM-"):
            challenge = self.challenge.encode("utf-8", "surrogatepass")
        return Login(
            mechanism=self.mechanism,
            authcid=self.authcid,
            passwd=self._passwd,
            challenge=challenge,
            nonce=self._nonce,
            edits=dict(self._edits),
        )

    def _draw(self) -> None:
        login = self._login()
        try:
            self._explanation, _ = explain_login(login, shows_secrets=False)
            self._masked = rows_of(login, self._explanation)
            self.tone, self.sentence = self._outcome(self._explanation)
        except KitError as error:
            self._explanation, self._masked = None, ()
            self.tone, self.sentence = "ik-bad", visible(f"There is no such login: {error}.")
        self.rows = [row.as_document() for row in self._masked]
        self._show_secrets(login)

    def _show_secrets(self, login: Login) -> None:
        """Send what is not masked as a message, which is never saved; only to who asked for it."""
        if not self._shows_secrets or not self._masked:
            self.send({"rows": None, "answers": []})
            return
        explanation, answers = explain_login(login, shows_secrets=True)
        rows = [row.as_document() for row in rows_of(login, explanation)]
        self.send({"rows": rows, "answers": list(answers)})

    def _outcome(self, explanation: Explanation) -> tuple[str, str]:
        is_in = bool(explanation.steps) and explanation.steps[-1].raw.startswith("235")
        said = explanation.summary[-1] if explanation.summary else "No login."
        said = said.partition(", ")[2] or said
        edited = " You changed what the client sends." if self._edits else ""
        return ("ik-good" if is_in else "ik-bad"), visible(f"{said}{edited}")
