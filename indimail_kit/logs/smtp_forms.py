"""The lines of qmail-smtpd and tcpserver: who came, who was let in, what was accepted or refused.

Source: IndiMail indimail-mta-x/smtpd.c `log_trans()`, `err_queue()`, `err_nogateway()`, `err_hmf()`, `die_read()`;
ucspi-tcp-x/tcpserver.c; the recorded logs `logs/smtpd-*.tai64n.log`.

Note for maintainers: qmail-smtpd cleans nothing, so a HELO name or an address may hold almost any octet. IndiMail's
tcpserver words its lines differently from plain ucspi-tcp's. The order matters: the first form that fits names the
line.
"""

from __future__ import annotations

from typing import Final

from indimail_kit.logs.template import Form

_SMTPD: Final = "qmail-smtpd: pid {pid} from {remote_ip}"
_ENVELOPE: Final = "MAIL from <{smtp_sender}> RCPT <{smtp_recipient}>"
_STATUS: Final = "tcpserver: status: {connections}/{connection_limit}"

SMTP_FORMS: Final = (
    Form(
        "smtpd_accepted",
        _SMTPD + "  HELO <{helo}> " + _ENVELOPE + " AUTH <{auth}> Size: {message_bytes} TLS={tls}« {remark}»",
        "qmail-smtpd took a message and qmail-queue has it; one line for each recipient.",
        "smtpd.c log_trans()",
        program="qmail-smtpd",
        example="qmail-smtpd: pid 5217 from 127.0.0.1  HELO <[127.0.0.1]> MAIL from <test@local.test> RCPT"
        " <y1@other.test>"
        " AUTH <test@local.test: AUTH PLAIN> Size: 338 TLS=No",
    ),
    Form(
        "smtpd_accepted_2010",
        _SMTPD + " HELO <{helo}> " + _ENVELOPE + " AUTH <{auth}> Size: {message_bytes}« {remark}»",
        "qmail-smtpd took a message, as IndiMail logged it in 2010.",
        "smtpd.c of 2010 log_trans()",
        kind="smtpd_accepted",
        program="qmail-smtpd",
        example="qmail-smtpd: pid 14544 from ::ffff:127.0.0.1 HELO <indimail.org> MAIL from <list@example.net>"
        " RCPT <mailstore@indimail.org> AUTH <local-rcpt> Size: 7330 X-Bogosity: No, spamicity=0.500000",
    ),
    Form(
        "smtpd_refused",
        _SMTPD
        + " {reply_text} ({permanence}): HELO <{helo}> "
        + _ENVELOPE
        + " AUTH <{auth}> Size: {message_bytes}«{bogosity}»« TLS={tls}» qp {qp}",
        "qmail-queue did not take the message (a virus, a full disk, a scanner that cannot run); one line for each"
        " recipient.",
        "smtpd.c err_queue()",
        program="qmail-smtpd",
        example="qmail-smtpd: pid 5301 from 127.0.0.1 qq message contains virus (#5.7.1) (permanent): HELO"
        " <[127.0.0.1]>"
        " MAIL from <test@local.test> RCPT <alice@local.test> AUTH <local-rcpt> Size: 555 TLS=No qp 5303",
    ),
    Form(
        "smtpd_auth_failure",
        _SMTPD + "  AUTH USER [{auth_user}] status=[{auth_status}] AUTH Unknown  TLS={tls} auth failure",
        "AUTH failed: a wrong password (status 1 or 2), or the checker could not say. The mechanism is not told.",
        "smtpd.c smtp_auth()",
        program="qmail-smtpd",
        example="qmail-smtpd: pid 3573 from 127.0.0.1  AUTH USER [test@local.test] status=[1] AUTH Unknown  TLS=No"
        " auth failure",
    ),
    Form(
        "smtpd_auth_failure_named",
        _SMTPD + "  AUTH USER [{auth_user}] status=[{auth_status}] AUTH {mechanism} TLS={tls} auth failure",
        "AUTH failed; of SCRAM the mechanism is told.",
        "smtpd.c smtp_auth()",
        kind="smtpd_auth_failure",
        program="qmail-smtpd",
        example="qmail-smtpd: pid 4051 from 127.0.0.1  AUTH USER [] status=[1] AUTH SCRAM-SHA-1 TLS=No auth failure",
    ),
    Form(
        "smtpd_auth_refused",
        _SMTPD + "  AUTH Unknown status=[{auth_status}] TLS={tls} auth failure",
        "AUTH was refused before a user was named: the mechanism needs TLS here.",
        "smtpd.c smtp_auth()",
        kind="smtpd_auth_failure",
        program="qmail-smtpd",
        example="qmail-smtpd: pid 4434 from 127.0.0.1  AUTH Unknown status=[-2] TLS=No auth failure",
    ),
    Form(
        "smtpd_relay_denied",
        _SMTPD + " Invalid RELAY client: MAIL from <{smtp_sender}>« RCPT <{smtp_recipient}>»«, Auth <{auth_user}>»",
        "The client may not send to other servers through this one.",
        "smtpd.c err_nogateway()",
        program="qmail-smtpd",
        example="qmail-smtpd: pid 1821 from 127.0.0.1 Invalid RELAY client: MAIL from <a@indi.com> RCPT <b@indi.com>",
    ),
    Form(
        "smtpd_bad_domain",
        _SMTPD + " Non-existing DNS_MX: {smtp_verb} {remark}",
        "The domain of the sender or of HELO has no mail exchanger in DNS.",
        "smtpd.c err_hmf()",
        program="qmail-smtpd",
        example="qmail-smtpd: pid 3517 from 127.0.0.1 Non-existing DNS_MX: MAIL FROM:<ann@local.test>",
    ),
    Form(
        "smtpd_invalid",
        _SMTPD + " Invalid {subject}: {remark}",
        "Sender, recipient, host or HELO is on a list of those denied.",
        "smtpd.c err_bmf(), err_rcp(), err_hostaccess(), err_badhelo()",
        program="qmail-smtpd",
        example="qmail-smtpd: pid 1821 from 127.0.0.1 Invalid SENDER address: MAIL from <a@indi.com>",
    ),
    Form(
        "smtpd_too_big",
        _SMTPD + " data size exceeded: " + _ENVELOPE + " Size: {message_bytes}",
        "The message is bigger than control/databytes allows.",
        "smtpd.c err_size()",
        program="qmail-smtpd",
    ),
    Form(
        "smtpd_banned",
        _SMTPD + " virus/banned content: {content}: " + _ENVELOPE + " Size: {message_bytes}",
        "qmail-smtpd's own body check found banned content.",
        "smtpd.c log_virus()",
        program="qmail-smtpd",
    ),
    Form(
        "smtpd_read_error",
        _SMTPD + " read error«: {remark}»",
        "The client went away.",
        "smtpd.c die_read()",
        program="qmail-smtpd",
        example="qmail-smtpd: pid 3625 from 127.0.0.1 read error: client dropped connection: ",
    ),
    Form(
        "smtpd_tls",
        _SMTPD + " ssl-version={tls}",
        "The session is encrypted from here on.",
        "smtpd.c smtp_tls(); recorded log smtpd-2531",
        program="qmail-smtpd",
        example="qmail-smtpd: pid 4438 from 127.0.0.1 ssl-version=TLSv1.3",
    ),
    Form(
        "smtpd_note",
        _SMTPD + "« {remark}»",
        "Anything else that qmail-smtpd says of a client.",
        "smtpd.c: every other call of logerr()",
        program="qmail-smtpd",
        example="qmail-smtpd: pid 4054 from 127.0.0.1 535 malformed SCRAM message [q,,n=x,r=y]",
    ),
    Form(
        "smtpd_plugin",
        _SMTPD + ": {remark}",
        "A plugin of qmail-smtpd could not be loaded.",
        "smtpd.c die_plugin()",
        kind="smtpd_note",
        program="qmail-smtpd",
    ),
    Form(
        "smtpd_plain",
        "qmail-smtpd: {remark}",
        "Anything that qmail-smtpd says of itself.",
        "smtpd.c log_fifo()",
        kind="smtpd_note",
        program="qmail-smtpd",
    ),
    Form(
        "tcpserver_start",
        _STATUS + " startup, pid={pid}, TLS={tls_switch}, use sql={sql_switch}",
        "tcpserver listens.",
        "tcpserver.c; recorded log smtpd-2531",
        program="tcpserver",
        example="tcpserver: status: 0/30 startup, pid=3460, TLS=disabled, use sql=NO",
    ),
    Form(
        "tcpserver_session",
        _STATUS + " {encryption} session, pid={pid}, IP {remote_ip}",
        "A session begins.",
        "tcpserver.c; recorded log smtpd-2531",
        program="tcpserver",
        example="tcpserver: status: 1/30 un-encrypted session, pid=4434, IP 127.0.0.1",
    ),
    Form(
        "tcpserver_sigchild",
        _STATUS + " sigchild, pid={pid}",
        "A session's process ended.",
        "tcpserver.c; recorded log smtpd-2531",
        program="tcpserver",
        example="tcpserver: status: 0/30 sigchild, pid=4434",
    ),
    Form(
        "tcpserver_status",
        _STATUS + "« {remark}»",
        "How many connections there are, and how many may be.",
        "ucspi-tcp tcpserver.c printstatus()",
        program="tcpserver",
    ),
    Form(
        "tcpserver_pid",
        "tcpserver: pid {pid} from {remote_ip}",
        "A client connected.",
        "tcpserver.c",
        program="tcpserver",
        example="tcpserver: pid 4434 from 127.0.0.1",
    ),
    Form(
        "tcpserver_ok",
        "tcpserver: ok {pid} {local_host}[{local_ip}]{local_port}"
        " {remote_host}[{remote_ip}]:{remote_port}:maxperip={max_per_ip}",
        "The rules let this client in.",
        "tcpserver.c; recorded log smtpd-2531",
        program="tcpserver",
        example="tcpserver: ok 4434 mx1.indikit.test[127.0.0.1]2531 [127.0.0.1]:55783:maxperip=20",
    ),
    Form(
        "tcpserver_deny",
        "tcpserver: deny {pid} {local_host}[{local_ip}]{local_port}"
        " {remote_host}[{remote_ip}]:{remote_port}:maxperip={max_per_ip}",
        "The rules keep this client out.",
        "tcpserver.c; recorded log smtpd-2530",
        program="tcpserver",
        example="tcpserver: deny 5200 mx1.indikit.test[127.0.0.1]2530 [127.0.0.4]:44001:maxperip=20",
    ),
    Form(
        "tcpserver_ok_plain",
        "tcpserver: ok {pid} {remark}",
        "The rules let this client in, as plain ucspi-tcp words it.",
        "ucspi-tcp tcpserver.c doit()",
        kind="tcpserver_ok",
        program="tcpserver",
    ),
    Form(
        "tcpserver_deny_plain",
        "tcpserver: deny {pid} {remark}",
        "The rules keep this client out, as plain ucspi-tcp words it.",
        "ucspi-tcp tcpserver.c doit()",
        kind="tcpserver_deny",
        program="tcpserver",
    ),
    Form(
        "tcpserver_end",
        "tcpserver: end {pid} status {wait_status}",
        "A session's process ended with this status.",
        "tcpserver.c sigchld()",
        program="tcpserver",
        example="tcpserver: end 3625 status 1",
    ),
    Form(
        "tcpserver_note",
        "tcpserver: {remark}",
        "Anything else that tcpserver says.",
        "tcpserver.c: warnings and errors",
        program="tcpserver",
    ),
)
"""Forms of the SMTP server, in the order of trial."""
