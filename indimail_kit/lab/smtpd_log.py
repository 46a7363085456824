"""The log of tcpserver and qmail-smtpd; the lines' forms are `logs.grammar`'s.

Source: IndiMail tcpserver.c, smtpd.c log_trans(), err_queue(), err_authfailure(), err_nogateway().
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from indimail_kit.logs.grammar import format_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from indimail_kit.lab.session import SessionRecord, Transaction
    from indimail_kit.logs.writer import LogWriter

_LOCAL_PORT: Final = 25
"""Port that the log names: the one that the lab plays (unit: TCP port)."""


class SmtpdLog:
    """Writes the lines of one SMTP service.

    Attributes:
        host: Name of this host.
        connection_limit: Most sessions at once.
    """

    def __init__(self, log: LogWriter, *, host: str, connection_limit: int, clock: Callable[[], int]) -> None:
        self.host = host
        self.connection_limit = connection_limit
        self._log = log
        self._clock = clock

    def _write(self, record: SessionRecord, form_name: str, **fields: str | int | bytes) -> None:
        now_ns = self._clock()
        written = self._log.write(format_line(form_name, pid=record.pid, **fields), now_ns)
        if form_name.startswith("smtpd_"):  # tcpserver's last line comes when nobody listens any more
            record.emit(now_ns, "log", written)

    def connected(self, record: SessionRecord) -> None:
        """Say that a client connected."""
        self._write(record, "tcpserver_pid", remote_ip=record.peer[0])

    def looked_up(self, record: SessionRecord, *, is_denied: bool, connections: int) -> None:
        """Say what the rules said, and how many sessions there are."""
        ip, port = record.peer
        self._write(
            record,
            "tcpserver_deny" if is_denied else "tcpserver_ok",
            local_host=self.host,
            local_ip=ip,
            local_port=_LOCAL_PORT,
            remote_host="",
            remote_ip=ip,
            remote_port=port,
            max_per_ip=self.connection_limit,
        )
        counted = {"connections": connections, "connection_limit": self.connection_limit}
        self._write(record, "tcpserver_session", encryption="un-encrypted", remote_ip=ip, **counted)

    def ended(self, record: SessionRecord, *, connections: int) -> None:
        """Say that a session ended."""
        counted = {"connections": connections, "connection_limit": self.connection_limit}
        self._write(record, "tcpserver_sigchild", **counted)

    def note(self, record: SessionRecord, remark: str) -> None:
        """Say anything else of a client."""
        self._write(record, "smtpd_note", remote_ip=record.peer[0], remark=remark)

    def hung_up(self, record: SessionRecord) -> None:
        """Say that the client went away."""
        self._write(record, "smtpd_read_error", remote_ip=record.peer[0], remark="client dropped connection: ")

    def auth_failure(self, record: SessionRecord, *, authcid: str, is_wrong: bool) -> None:
        """Say that a login failed."""
        status = 1 if is_wrong else -1
        ip = record.peer[0]
        self._write(record, "smtpd_auth_failure", remote_ip=ip, auth_user=authcid, auth_status=status, tls="No")

    def auth_refused(self, record: SessionRecord) -> None:
        """Say that a login was refused before a user was named: the mechanism needs TLS here."""
        self._write(record, "smtpd_auth_refused", remote_ip=record.peer[0], auth_status=-2, tls="No")

    def relay_denied(self, record: SessionRecord, *, sender: bytes, recipient: bytes, authcid: str) -> None:
        """Say that a client may not send to another domain."""
        user = {"auth_user": authcid} if authcid else {}
        ip = record.peer[0]
        self._write(record, "smtpd_relay_denied", remote_ip=ip, smtp_sender=sender, smtp_recipient=recipient, **user)

    def accepted(
        self, record: SessionRecord, transaction: Transaction, message_bytes: int, is_local: Callable[[bytes], bool]
    ) -> None:
        """Say that a mail was queued: one line a recipient."""
        for recipient in transaction.recipients:
            self._mail(record, transaction, "smtpd_accepted", recipient, message_bytes, is_local(recipient))

    def refused(
        self,
        record: SessionRecord,
        transaction: Transaction,
        message_bytes: int,
        is_local: Callable[[bytes], bool],
        *,
        reply_text: str,
        is_permanent: bool,
        qp: int,
    ) -> None:
        """Say that qmail-queue did not take a mail: one line a recipient."""
        why = {"reply_text": reply_text, "permanence": "permanent" if is_permanent else "temporary", "qp": qp}
        for recipient in transaction.recipients:
            self._mail(record, transaction, "smtpd_refused", recipient, message_bytes, is_local(recipient), **why)

    def _mail(
        self,
        record: SessionRecord,
        transaction: Transaction,
        form_name: str,
        recipient: bytes,
        message_bytes: int,
        is_local: bool,
        **more: str | int,
    ) -> None:
        user = f"{transaction.authcid}: AUTH {transaction.mechanism}" if transaction.authcid else ""
        way = "local-rcpt" if is_local else "" if user else "auth-ip/pop"
        self._write(
            record,
            form_name,
            remote_ip=record.peer[0],
            helo=transaction.helo,
            smtp_sender=transaction.sender,
            smtp_recipient=recipient,
            auth=": ".join(part for part in (user, way) if part),
            message_bytes=message_bytes,
            tls=transaction.tls_version or "No",
            **more,
        )
