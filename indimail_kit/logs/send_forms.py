"""The lines of qmail-send, slowq-send, todo-proc and qscheduler: from 2010, from plain qmail, and of today's IndiMail.

Source: IndiMail indimail-mta-x/qmail-send.c, todo-proc.c, slowq-send.c, qscheduler.c; qmail-log(5); the seed text of
2010; the recorded logs `logs/*.tai64n.log.gz` and their census `logs/line-shapes.txt`.

Note for maintainers: IndiMail ends nearly every line with the queue's name, plain qmail and the IndiMail of 2010 do
not; ``.Q`` behind a delivery number is there only under qscheduler. The order matters: the first form that fits names
the line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from indimail_kit.logs.template import Form

_MANGLED: Final = {"outcome": b"deferral", "report": b"report_mangled"}
"""What a mangled report states. Source: matchup.c delivery() prints it so."""

_LEVELS: Final = (
    ("alert", "alert", "Something is badly wrong"),
    ("warning", "warn", "Something went wrong and is tried again"),
    ("warning", "warning", "Something went wrong and is tried again (plain qmail, and IndiMail before 2022)"),
    ("info", "info", "Something that is good to know"),
)
"""Kind, word that begins the line, meaning: for the lines that have no form of their own (qmail-send has about
sixty)."""


_REMARKS: Final = (
    ("queue", "{program}: {queue}: {remark}", "the line names program and queue"),
    ("program", "{program}: {remark}", "the line names the program"),
    ("plain", "{remark}", "the line names neither program nor queue"),
)
"""End of the form's name, rest of the template, meaning."""


def _remark_forms() -> Iterator[Form]:
    """Yield the catch-all forms of each level: with program and queue, with the program, with neither."""
    source = "qmail-send.c, todo-proc.c, slowq-send.c, qscheduler.c: every other call of slog(), log5(), todo_log()"
    for kind, word, meaning in _LEVELS:
        for name, rest, what in _REMARKS:
            implied = {"severity": kind.encode()}
            yield Form(f"{word}_{name}", f"{word}: {rest}", f"{meaning}; {what}.", source, kind=kind, implied=implied)


SEND_FORMS: Final = (
    Form(
        "new_msg",
        "new msg {message_number}« {queue}»",
        "A message is in the queue and preprocessing begins.",
        "todo-proc.c todo_do(); qmail-send.c todo_do()",
        program="qmail-send",
        example="new msg 660188",
    ),
    Form(
        "info_msg",
        "info msg {message_number}: bytes {message_bytes} from <{sender}> qp {qp} uid {uid}« {queue}»",
        "What is known of a new message: size, sender, who queued it.",
        "todo-proc.c comm_info()",
        program="qmail-send",
        example="info msg 1704474: bytes 177 from <ann@local.test> qp 4305 uid 0 queue1",
    ),
    Form(
        "info_msg_bare",
        "info msg {message_number}: bytes {message_bytes} from {bare_sender} qp {qp} uid {uid}« {queue}»",
        "What is known of a new message, with the sender as the seed text shows it: without angle brackets.",
        "seed text of 2010",
        kind="info_msg",
        program="qmail-send",
        example="info msg 660188: bytes 2794 from fogcreek_xxx@response.whatcounts.com qp 3223 uid 555",
    ),
    Form(
        "todo_recipient",
        "{channel}: {raw_sender} {raw_recipient} {message_number} {message_bytes} bytes« {queue}»« {todo_mode} mode»",
        "todo-proc puts one recipient on the local or the remote list; addresses are not cleaned here.",
        "todo-proc.c log_stat(); qsutil.c log_stat()",
        program="todo-proc",
        example="local: ann@local.test alice@local.test 1704474 177 bytes queue1 opendir mode",
    ),
    Form(
        "starting_delivery",
        "starting delivery {delivery_number}«.{queue_number}»: msg {message_number} to {channel} {recipient}« {queue}»",
        "qmail-send hands one recipient to qmail-lspawn or qmail-rspawn.",
        "qmail-send.c del_start()",
        program="qmail-send",
        example="starting delivery 1.3: msg 1737243 to local alice@local.test queue3",
    ),
    Form(
        "delivery",
        "delivery {delivery_number}«.{queue_number}»: {outcome}: {report}« {queue}»",
        "A delivery ended: success, failure (for ever) or deferral (it is tried again).",
        "qmail-send.c del_dochan()",
        program="qmail-send",
        example="delivery 6: success: did_1+0+0/",
    ),
    Form(
        "delivery_mangled",
        "delivery {delivery_number}«.{queue_number}»: report mangled, will defer:« {queue}»",
        "A delivery ended with a report that qmail-send cannot read; it counts as a deferral.",
        "qmail-send.c del_dochan()",
        program="qmail-send",
        implied=_MANGLED,
    ),
    Form(
        "delivery_mangled_plain",
        "delivery {delivery_number}«.{queue_number}»: report mangled, will defer",
        "A delivery ended with a report that plain qmail's qmail-send cannot read; it counts as a deferral.",
        "qmail 1.03 qmail-send.c del_dochan()",
        kind="delivery_mangled",
        program="qmail-send",
        implied=_MANGLED,
    ),
    Form(
        "status",
        "status: local {local_used}/{local_max}« {local_held}» remote {remote_used}/{remote_max}« {remote_held}»"
        "« delayed jobs={delayed_jobs}»« {queue}»« {exitasap}»",
        "How many deliveries are under way, and how many may be.",
        "qmail-send.c del_status()",
        program="qmail-send",
        example="status: local 1/10 remote 0/20",
    ),
    Form(
        "bounce_msg",
        "bounce msg {message_number} qp {qp}« {queue}»",
        "A bounce for this message was queued; qp is the bounce's own.",
        "qmail-send.c injectbounce()",
        program="qmail-send",
        example="bounce msg 1704480 qp 6055 queue1",
    ),
    Form(
        "bounce_discarded",
        "{bounce_rank} bounce: discarding bounce/{message_number}« {queue}»",
        "Nobody is left to tell: the bounce of a bounce is thrown away.",
        "qmail-send.c injectbounce()",
        program="qmail-send",
        example="triple bounce: discarding bounce/1704484 queue1",
    ),
    Form(
        "bounce_processor",
        "bounce processor sender <{sender}> recipient <{recipient}> messfn <{directory}/{message_number}> bouncefn"
        " <{bounce_file}>"
        " exit={exit_code}« {queue}»",
        "The program in BOUNCEPROCESSOR looked at a bounce.",
        "qmail-send.c bounce_processor()",
        program="qmail-send",
        example="bounce processor sender <> recipient <ann@local.test> messfn <mess/148/1704485>"
        " bouncefn <bounce/1704485> exit=1 queue1",
    ),
    Form(
        "bounce_deleted",
        "{severity}: {send_program}: delete bounce: discarding bounce/{message_number}« {queue}»",
        "The bounce processor told qmail-send to throw a bounce away.",
        "qmail-send.c injectbounce()",
        example="info: qmail-send: delete bounce: discarding bounce/1704485 queue1",
    ),
    Form(
        "end_msg",
        "end msg {message_number}« {send_program}: {queue}»",
        "The message left the queue; its number is free for another one.",
        "qmail-send.c messdone()",
        program="qmail-send",
        example="end msg 1704480 qmail-send: queue1",
    ),
    Form(
        "deliveries_held",
        "{channel} deliveries temporarily held",
        "The administrator stopped local or remote deliveries (control/holdlocal, holdremote).",
        "qmail-send.c regetcontrols(): the queue's name comes after the line end and begins the next line",
        program="qmail-send",
        example="local deliveries temporarily held",
    ),
    Form(
        "deliveries_resumed",
        "{channel} deliveries resumed",
        "Held deliveries go on.",
        "qmail-send.c regetcontrols(): the queue's name comes after the line end and begins the next line",
        program="qmail-send",
        example="local deliveries resumed",
    ),
    Form(
        "send_start",
        "{severity}: {send_program}: pid {pid}: {queue_directory}:« todo processor: {todo_processor},»"
        " ratelimit={ratelimit}«, loglock={loglock}», conf split={split}«, bigtodo={bigtodo}»",
        "qmail-send or slowq-send begins; its delivery numbers start at 1.",
        "qmail-send.c main(); slowq-send.c main()",
        example="info: qmail-send: pid 4840: /var/indimail/queue/queue1: ratelimit=OFF, loglock=disabled, conf"
        " split=151",
    ),
    Form(
        "send_start_2022",
        "{severity}: {send_program}: {queue}: ratelimit={ratelimit}, loglock={loglock}, conf split={split}",
        "qmail-send begins, as IndiMail logged it in 2022.",
        "qmail-send.c 1.97 main()",
        kind="send_start",
    ),
    Form(
        "send_start_plain",
        "running",
        "qmail-send begins, as old versions log it.",
        "matchup.c main()",
        kind="send_start",
        program="qmail-send",
    ),
    Form(
        "send_exit",
        "{severity}: {send_program}: pid {pid} {queue} exiting",
        "qmail-send ended.",
        "qmail-send.c main()",
        example="info: qmail-send: pid 4840 queue1 exiting",
    ),
    Form(
        "send_exit_plain",
        "{severity}: exiting",
        "qmail-send ended, as plain qmail logs it.",
        "qmail 1.03 qmail-send.c main()",
        kind="send_exit",
        program="qmail-send",
    ),
    Form(
        "send_exit_old",
        "exiting",
        "qmail-send ended, as old versions log it.",
        "matchup.c main()",
        kind="send_exit",
        program="qmail-send",
    ),
    Form(
        "todo_start",
        "{severity}: {todo_program}: pid {pid}: {queue_directory}: conf split={split}, todo chunk size={chunk},"
        " bigtodo={bigtodo}",
        "todo-proc begins.",
        "todo-proc.c main()",
        example="info: todo-proc: pid 4848: /var/indimail/queue/queue1: conf split=151, todo chunk size=1, bigtodo=yes",
    ),
    Form(
        "todo_exit",
        "{severity}: todo-proc: pid {pid} {queue} exiting",
        "todo-proc ended.",
        "todo-proc.c main()",
        program="todo-proc",
    ),
    Form(
        "todo_file",
        "{severity}: {todo_program}: {queue}: subdir={subdirectory} fn={directory}/{message_number}« {wrong_split}»",
        "todo-proc found a queued message in todo.",
        "todo-proc.c todo_do()",
        example="info: todo-proc: queue1: subdir=todo/137 fn=todo/137/1704474",
    ),
    Form(
        "todo_ordered_to_quit",
        "{severity}: {todo_program}: pid {pid} ordered to quit by qmail-send: {queue}",
        "qmail-send is exiting and takes todo-proc with it.",
        "todo-proc.c exit_todo()",
        example="alert: todo-proc: pid 4848 ordered to quit by qmail-send: queue1",
    ),
    Form(
        "todo_mode",
        "{severity}: {todo_program}: {queue}: Resetting to {todo_mode} mode",
        "todo-proc changes how it learns of new messages.",
        "todo-proc.c todo_scan()",
        example="info: todo-proc: queue1: Resetting to mqueue mode",
    ),
    Form(
        "rate_ok",
        "{severity}: slowq {domain} msg {message_number}: rate [{rate}] ok since {seconds} secs",
        "slowq-send may deliver to this domain now.",
        "delivery_rate.c delivery_rate()",
        program="slowq-send",
        example="info: slowq remote.test msg 1766991: rate [1/0.0000000000/0.0500000000] ok since 2 secs",
    ),
    Form(
        "rate_exceeded",
        "{severity}: slowq {domain} msg {message_number}: rate exceeded [{rate}] need {seconds} secs; will try again"
        " later",
        "slowq-send waits, because this domain got its share.",
        "delivery_rate.c delivery_rate()",
        program="slowq-send",
        example="warn: slowq remote.test msg 1766994: rate exceeded [2/0.3333333432/0.0500000000] need 17 secs;"
        " will try again later",
    ),
    Form(
        "scheduler_start",
        "{severity}: qscheduler: pid {pid} {scheduler_mode} queues qStart/qCount {queue_start}/{queue_count}"
        "«, qconf={queue_limit},» conf split={split}«, msgqueue_len={slot_count}, msgqueue_size={slot_bytes}»",
        "qscheduler begins and starts one qmail-send for each queue.",
        "qscheduler.c main()",
        program="qscheduler",
        example="info: qscheduler: pid 3475 static queues qStart/qCount 1/3 conf split=151",
    ),
    Form(
        "scheduler_queue",
        "{severity}: qscheduler: pid {pid}, queue {queue_directory} {queue_change}",
        "A queue's qmail-send was started by qscheduler, or died.",
        "qscheduler.c start_send(), main()",
        program="qscheduler",
        example="info: qscheduler: pid 3507, queue /var/indimail/queue/queue1 started",
    ),
    Form(
        "scheduler_signal",
        "{severity}: qscheduler: issue SIG{signal} to {pid}, queue {queue_directory}",
        "qscheduler hands a signal on to a queue's qmail-send.",
        "qscheduler.c sigterm(), sigalrm()",
        program="qscheduler",
        example="info: qscheduler: issue SIGALRM to 20704, queue /var/indimail/queue/queue1",
    ),
    Form(
        "scheduler_exit",
        "{severity}: qscheduler: pid {pid} exiting",
        "qscheduler ended, and every qmail-send with it.",
        "qscheduler.c main()",
        program="qscheduler",
        example="info: qscheduler: pid 3475 exiting",
    ),
    Form(
        "extra",
        "extra {message_number} {successes} {deferrals} {failures}",
        "What matchup hands to its next run about a message that is still open: deliveries so far.",
        "matchup.c pending() on fd 5",
        program="matchup",
    ),
    Form(
        "signal",
        "{severity}: {program}: pid {pid} got {signal}«: {queue}»",
        "A signal came: TERM ends, ALRM tries everything now, HUP reads the controls again.",
        "qmail-send.c sigterm(), sigalrm(), sighup(); qscheduler.c",
        example="alert: qmail-send: pid 4840 got ALRM: queue1",
    ),
    Form(
        "plugin_started",
        "{severity}: {send_program}: {queue}: executing function {remark}",
        "qmail-send runs a plugin before it starts.",
        "qmail-send.c run_plugin()",
    ),
    Form(
        "signal_2022",
        "{severity}: {program}: {pid} got {signal}: {queue}",
        "A signal came, as IndiMail logged it in 2022.",
        "qmail-send.c 1.97 sigterm(), sigalrm(), sighup()",
        kind="signal",
    ),
    *_remark_forms(),
)
"""Forms of the queue's programs, in the order of trial."""
