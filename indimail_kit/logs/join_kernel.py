"""The join of lines to deliveries and messages, line by line: written to be compiled, right without.

A message's number is an inode and is used again at once; a delivery's number starts at 1 with each qmail-send. So a
message is known by (queue, number, lifetime) and a delivery by (queue, run, number), and both are paired in the order
of the lines. A row is given out when its last line came; what is open is carried to the next block.

Source: IndiMail matchup.c `info()`, `starting()`, `delivery()`, `endmsg()`, `newmsg()`, `extra()`; qmail-log(5).

Rule 1: as in `kernel`: numbers and arrays only, and calls among KERNELS only.
Rule 2: nothing here is quadratic, whatever the log: each row is begun once, finished once, and moved once a block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from indimail_kit.logs.join_codes import (
    A_COLUMNS,
    A_LIFE,
    A_NEXT,
    ATTEMPTS,
    D_BYTES,
    D_CHANNEL,
    D_COLUMNS,
    D_END_EVENT,
    D_ENDED,
    D_IS_OPEN,
    D_LIFETIME,
    D_MESSAGE,
    D_NUMBER,
    D_OUTCOME,
    D_QP,
    D_QUEUE,
    D_QUEUED,
    D_RECIPIENT,
    D_REPORT,
    D_RUN,
    D_SENDER,
    D_START_EVENT,
    D_STARTED,
    D_UID,
    DELIVERIES,
    K_LIFE,
    K_LIFETIMES,
    K_NUMBER,
    K_QUEUE,
    L_ATTEMPTS,
    L_COLUMNS,
    L_FROM_NEW,
    L_HAS_INFO,
    L_IS_DONE,
    LIVES,
    M_BOUNCE_QP,
    M_BYTES,
    M_COLUMNS,
    M_COUNTS,
    M_END_EVENT,
    M_ENDED,
    M_FIRST_EVENT,
    M_IS_OPEN,
    M_LIFETIME,
    M_NUMBER,
    M_QP,
    M_QUEUE,
    M_QUEUED,
    M_RECIPIENTS,
    M_SENDER,
    M_UID,
    MESSAGES,
    NAMELESS,
    Q_LAST,
    Q_OPEN,
    Q_RUN,
    Store,
)
from indimail_kit.logs.join_store import NOTHING, attempt_slot, find_key, key_of
from indimail_kit.logs.kernel_codes import (
    BOUNCE_MSG,
    BYTES,
    CHANNEL,
    DELIVERY,
    END_MSG,
    ENDED,
    EXTRA,
    INFO_MSG,
    KIND,
    LOCAL_MAX,
    LOCAL_USED,
    MANGLED,
    MESSAGE,
    NEW_MSG,
    NO_TIME,
    OUTCOME,
    QP,
    QUEUE,
    RECIPIENT,
    REMOTE_USED,
    REPORT,
    RUN,
    SCHEDULER_EXIT,
    SCHEDULER_QUEUE,
    SEND_EXIT,
    SEND_START,
    SENDER,
    STARTING,
    STATUS,
    TODO_FILE,
    TODO_RECIPIENT,
    UID,
    UNIX_NS,
)

if TYPE_CHECKING:
    Row = Any


def give_message(store: Store, life: int) -> None:
    """Give a message out."""
    source = store.lives[life]
    row = store.messages[store.counts[MESSAGES]]
    store.counts[MESSAGES] += 1
    for column in range(M_COLUMNS):
        row[column] = source[column]
    source[L_IS_DONE] = 1


def give_delivery(store: Store, attempt: int) -> None:
    """Give a delivery out, with what is known of its message now; a closed message goes with its last one."""
    source = store.attempts[attempt]
    row = store.deliveries[store.counts[DELIVERIES]]
    store.counts[DELIVERIES] += 1
    for column in range(D_COLUMNS):
        row[column] = source[column]
    life = source[A_LIFE]
    source[A_LIFE] = NOTHING
    if life == NOTHING:
        return
    message = store.lives[life]
    row[D_LIFETIME], row[D_BYTES], row[D_QP] = message[M_LIFETIME], message[M_BYTES], message[M_QP]
    row[D_UID], row[D_QUEUED] = message[M_UID], message[M_QUEUED]
    row[D_SENDER], row[D_SENDER + 1] = message[M_SENDER], message[M_SENDER + 1]
    message[L_ATTEMPTS] -= 1
    if message[L_ATTEMPTS] == 0 and message[M_IS_OPEN] == 0:
        give_message(store, life)


def close(store: Store, key: int) -> None:
    """Close the life of a key, if one is open."""
    life = store.keys[key][K_LIFE]
    if life == NOTHING:
        return
    store.keys[key][K_LIFE] = NOTHING
    store.lives[life][M_IS_OPEN] = 0
    if store.lives[life][L_ATTEMPTS] == 0:
        give_message(store, life)


def begin(store: Store, key: int, position: int) -> int:
    """Open a new life and return its row; an older one that is still open lost its end."""
    close(store, key)
    life = int(store.counts[LIVES])
    store.counts[LIVES] += 1
    store.keys[key][K_LIFE] = life
    store.keys[key][K_LIFETIMES] += 1
    row = store.lives[life]
    for column in range(L_COLUMNS):
        row[column] = 0
    for column in range(M_BYTES, M_COUNTS):
        row[column] = NOTHING
    row[M_QUEUE], row[M_NUMBER] = store.keys[key][K_QUEUE], store.keys[key][K_NUMBER]
    row[M_LIFETIME], row[M_FIRST_EVENT], row[M_IS_OPEN] = store.keys[key][K_LIFETIMES], position, 1
    row[M_QUEUED] = row[M_ENDED] = NO_TIME
    row[M_BOUNCE_QP] = row[M_END_EVENT] = row[M_SENDER] = row[M_SENDER + 1] = NOTHING
    return life


def known(store: Store, queue: int, number: int) -> int:
    """Return the key of a message if a life of it is open, or NOTHING.

    slowq-send writes "new msg" without the queue's name and every other line with it: the first line that names the
    queue takes such a life over.
    """
    if queue != 0 and store.counts[NAMELESS] > 0:
        nameless = find_key(store, 0, number)
        if nameless != NOTHING and store.keys[nameless][K_LIFE] != NOTHING:
            life = store.keys[nameless][K_LIFE]
            store.keys[nameless][K_LIFE] = NOTHING
            store.keys[nameless][K_LIFETIMES] -= 1
            key = key_of(store, queue, number)
            close(store, key)
            store.keys[key][K_LIFE] = life
            store.keys[key][K_LIFETIMES] += 1
            store.lives[life][M_QUEUE] = queue
            store.lives[life][M_LIFETIME] = store.keys[key][K_LIFETIMES]
    key = find_key(store, queue, number)
    return key if key != NOTHING and store.keys[key][K_LIFE] != NOTHING else NOTHING


def life_key(store: Store, queue: int, number: int, position: int) -> int:
    """Return the key of a message; a life whose beginning the log does not show begins here."""
    key = known(store, queue, number)
    if key == NOTHING:
        key = key_of(store, queue, number)
        begin(store, key, position)
    return key


def cut_off(store: Store, queue: int) -> None:
    """Close the deliveries of a queue whose qmail-send is gone."""
    row = store.queues[queue]
    while row[Q_LAST] != NOTHING:
        attempt = row[Q_LAST]
        row[Q_LAST] = store.attempts[attempt][A_NEXT]
        if store.attempts[attempt][D_IS_OPEN] == 1:
            store.attempts[attempt][D_IS_OPEN] = 0
            give_delivery(store, attempt)
    row[Q_OPEN] = 0


def new_attempt(store: Store, line: Row) -> int:
    """Return the row of a delivery that a line speaks of for the first time."""
    attempt = int(store.counts[ATTEMPTS])
    store.counts[ATTEMPTS] += 1
    row = store.attempts[attempt]
    for column in range(A_COLUMNS):
        row[column] = NOTHING
    row[D_QUEUE], row[D_RUN], row[D_NUMBER] = line[QUEUE], max(line[RUN], 0), max(line[DELIVERY], 0)
    row[D_QUEUED] = row[D_STARTED] = row[D_ENDED] = NO_TIME
    row[D_IS_OPEN] = 0
    return attempt


def start(store: Store, line: Row, position: int, number: int) -> None:
    """``starting delivery``."""
    queue = line[QUEUE]
    life = store.keys[life_key(store, queue, number, position)][K_LIFE]
    attempt = new_attempt(store, line)
    row = store.attempts[attempt]
    row[D_MESSAGE], row[D_CHANNEL], row[D_STARTED] = number, line[CHANNEL], line[UNIX_NS]
    row[D_START_EVENT], row[D_IS_OPEN], row[A_LIFE] = position, 1, life
    if line[RECIPIENT] >= 0:
        row[D_RECIPIENT] = line[RECIPIENT] + len(store.carry)
        row[D_RECIPIENT + 1] = line[RECIPIENT + 1] + len(store.carry)
    store.lives[life][L_ATTEMPTS] += 1
    store.attempt_slots[attempt_slot(store, queue, row[D_NUMBER])] = attempt
    row[A_NEXT] = store.queues[queue][Q_LAST]
    store.queues[queue][Q_LAST] = attempt
    store.queues[queue][Q_RUN] = row[D_RUN]
    store.queues[queue][Q_OPEN] += 1


def end(store: Store, line: Row, position: int) -> None:
    """``delivery``."""
    attempt = store.attempt_slots[attempt_slot(store, line[QUEUE], max(line[DELIVERY], 0))]
    if attempt == NOTHING or store.attempts[attempt][D_IS_OPEN] == 0:
        attempt = new_attempt(store, line)
    else:
        store.queues[line[QUEUE]][Q_OPEN] -= 1
    row = store.attempts[attempt]
    row[D_ENDED], row[D_END_EVENT], row[D_OUTCOME], row[D_IS_OPEN] = line[UNIX_NS], position, line[OUTCOME], 0
    if line[REPORT] >= 0:
        row[D_REPORT] = line[REPORT] + len(store.carry)
        row[D_REPORT + 1] = line[REPORT + 1] + len(store.carry)
    if row[A_LIFE] != NOTHING and line[OUTCOME] >= 0:
        store.lives[row[A_LIFE]][M_COUNTS + line[OUTCOME]] += 1
    give_delivery(store, attempt)


def learn(store: Store, line: Row, position: int, number: int) -> None:
    """``info msg``: belongs to the life that "new msg" began, or begins one."""
    key = known(store, line[QUEUE], number)
    if key == NOTHING:
        life = begin(store, key_of(store, line[QUEUE], number), position)
    else:
        life = store.keys[key][K_LIFE]
        if store.lives[life][L_HAS_INFO] == 1 or store.lives[life][L_FROM_NEW] == 0:
            life = begin(store, key, position)
    row = store.lives[life]
    row[L_HAS_INFO], row[M_BYTES], row[M_QP], row[M_UID] = 1, line[BYTES], line[QP], line[UID]
    row[M_QUEUED] = line[UNIX_NS]
    if line[SENDER] >= 0:
        row[M_SENDER], row[M_SENDER + 1] = line[SENDER] + len(store.carry), line[SENDER + 1] + len(store.carry)


def note(store: Store, line: Row, position: int, number: int) -> None:
    """Take in a line that changes one thing of its message: todo-proc's recipient, extra, bounce msg, end msg."""
    key = life_key(store, line[QUEUE], number, position)
    row = store.lives[store.keys[key][K_LIFE]]
    kind = line[KIND]
    if kind == TODO_RECIPIENT:
        row[M_RECIPIENTS] = max(row[M_RECIPIENTS], 0) + 1
    elif kind == BOUNCE_MSG:
        row[M_BOUNCE_QP] = line[QP]
    elif kind == EXTRA:
        row[M_COUNTS], row[M_COUNTS + 1] = max(line[LOCAL_USED], 0), max(line[REMOTE_USED], 0)
        row[M_COUNTS + 2] = max(line[LOCAL_MAX], 0)
    else:
        row[M_ENDED], row[M_END_EVENT] = line[UNIX_NS], position
        close(store, key)


def join(store: Store, table: Any, first_position: int) -> None:
    """Take in the lines of a block."""
    for index in range(len(table)):
        line = table[index]
        kind = line[KIND]
        if kind in (STATUS, TODO_FILE) or not NEW_MSG <= kind <= SCHEDULER_EXIT:
            continue
        queue, position, number = line[QUEUE], first_position + index, max(line[MESSAGE], 0)
        if kind in (STARTING, ENDED, MANGLED):
            if store.queues[queue][Q_OPEN] > 0 and store.queues[queue][Q_RUN] != max(line[RUN], 0):
                cut_off(store, queue)
            if kind == STARTING:
                start(store, line, position, number)
            else:
                end(store, line, position)
        elif kind == NEW_MSG:
            life = begin(store, key_of(store, queue, number), position)
            store.lives[life][L_FROM_NEW], store.lives[life][M_QUEUED] = 1, line[UNIX_NS]
        elif kind == INFO_MSG:
            learn(store, line, position, number)
        elif kind in (TODO_RECIPIENT, EXTRA, BOUNCE_MSG, END_MSG):
            note(store, line, position, number)
        elif kind in (SEND_START, SEND_EXIT) or (kind == SCHEDULER_QUEUE and line[OUTCOME] != 0):
            cut_off(store, queue)
        elif kind == SCHEDULER_EXIT:
            for each in range(len(store.queues)):
                cut_off(store, each)
