"""What the join carries from one block to the next, and gives out at the end; the rules of `join_kernel` hold here too.

Its functions are compiled behind those of `join_kernel`, in one list.
"""

from __future__ import annotations

from typing import Any, Final

from indimail_kit.logs.join_codes import (
    A_COLUMNS,
    A_LIFE,
    A_NEXT,
    ATTEMPTS,
    D_IS_OPEN,
    D_NUMBER,
    D_QUEUE,
    D_RECIPIENT,
    K_LIFE,
    KEYS,
    L_COLUMNS,
    L_IS_DONE,
    L_MOVED,
    LIVES,
    M_IS_OPEN,
    M_NUMBER,
    M_QUEUE,
    M_SENDER,
    Q_LAST,
    Store,
)  # fmt: skip
from indimail_kit.logs.join_kernel import (
    begin,
    close,
    cut_off,
    end,
    give_delivery,
    give_message,
    join,
    known,
    learn,
    life_key,
    new_attempt,
    note,
    start,
)  # fmt: skip
from indimail_kit.logs.join_store import (
    NOTHING,
    attempt_slot,
    find_key,
    hash_of,
    key_of,
    put_key,
)  # fmt: skip


def keep_texts(store: Store, addition: Any) -> int:
    """Copy the texts of open rows that are not in the carry yet to an addition to it; return how long that is.

    The rows point there from now on (unit: octets).
    """
    at, size = 0, len(store.carry)
    for index in range(store.counts[LIVES]):
        row = store.lives[index]
        if row[L_IS_DONE] == 0 and row[M_SENDER] >= size:
            behind = copy_text(store, row[M_SENDER], row[M_SENDER + 1], addition, at)
            row[M_SENDER], row[M_SENDER + 1] = size + at, size + behind
            at = behind
    for index in range(store.counts[ATTEMPTS]):
        row = store.attempts[index]
        if row[D_IS_OPEN] == 1 and row[D_RECIPIENT] >= size:
            behind = copy_text(store, row[D_RECIPIENT], row[D_RECIPIENT + 1], addition, at)
            row[D_RECIPIENT], row[D_RECIPIENT + 1] = size + at, size + behind
            at = behind
    return at


def copy_text(store: Store, begin: int, end: int, target: Any, at: int) -> int:
    """Copy a text of the carry or the block; return the position behind."""
    size = len(store.carry)
    if begin < size:
        for index in range(begin, end):
            target[at + index - begin] = store.carry[index]
    else:
        for index in range(begin, end):
            target[at + index - begin] = store.octets[index - size]
    return at + end - begin


def carry_text(store: Store, row: Any, column: int, carry: Any, at: int) -> int:
    """Copy a text to the new carry, change its span, return the position behind."""
    if row[column] < 0:
        return at
    behind = copy_text(store, row[column], row[column + 1], carry, at)
    row[column], row[column + 1] = at, behind
    return behind


def move_together(store: Store, carry: Any) -> int:
    """Move the open rows to the front and their texts to a new carry; return how long that is (unit: octets).

    Done when there are about as many finished rows as open ones, so that their lines share its cost.
    """
    kept = 0
    for index in range(store.counts[LIVES]):
        row = store.lives[index]
        row[L_MOVED] = kept
        kept += 1 - row[L_IS_DONE]
    for index in range(store.counts[ATTEMPTS]):
        row = store.attempts[index]
        if row[D_IS_OPEN] == 1:
            row[A_LIFE] = store.lives[row[A_LIFE]][L_MOVED]
    at = 0
    for index in range(store.counts[LIVES]):
        row = store.lives[index]
        if row[L_IS_DONE] == 1:
            continue
        if row[M_IS_OPEN] == 1:
            store.keys[find_key(store, row[M_QUEUE], row[M_NUMBER])][K_LIFE] = row[L_MOVED]
        at = carry_text(store, row, M_SENDER, carry, at)
        target = store.lives[row[L_MOVED]]
        for column in range(L_COLUMNS):
            target[column] = row[column]
    store.counts[LIVES] = kept
    for index in range(len(store.queues)):
        store.queues[index][Q_LAST] = NOTHING
    kept = 0
    for index in range(store.counts[ATTEMPTS]):
        row = store.attempts[index]
        if row[D_IS_OPEN] == 0:
            continue
        at = carry_text(store, row, D_RECIPIENT, carry, at)
        row[A_NEXT] = store.queues[row[D_QUEUE]][Q_LAST]
        store.queues[row[D_QUEUE]][Q_LAST] = kept
        target = store.attempts[kept]
        for column in range(A_COLUMNS):
            target[column] = row[column]
        kept += 1
    store.counts[ATTEMPTS] = kept
    return at


def fill_slots(store: Store, with_keys: int) -> None:
    """Enter the open deliveries into their empty hash table, and the keys into theirs if that is new."""
    for index in range(store.counts[ATTEMPTS]):
        row = store.attempts[index]
        if row[D_IS_OPEN] == 1:
            store.attempt_slots[attempt_slot(store, row[D_QUEUE], row[D_NUMBER])] = index
    if with_keys == 1:
        for key in range(store.counts[KEYS]):
            put_key(store, key)


def take_in(store: Store, table: Any, first_position: int, with_keys: int, addition: Any) -> int:
    """Take in the lines of a block; see `keep_texts`, for which the addition has room for all texts of the block."""
    fill_slots(store, with_keys)
    join(store, table, first_position)
    return keep_texts(store, addition)


def give_rest(store: Store) -> None:
    """Give out what is still open, the last first."""
    while store.counts[ATTEMPTS] > 0 or store.counts[LIVES] > 0:
        if store.counts[ATTEMPTS] > 0:
            store.counts[ATTEMPTS] -= 1
            if store.attempts[store.counts[ATTEMPTS]][D_IS_OPEN] == 1:
                give_delivery(store, store.counts[ATTEMPTS])
        else:
            store.counts[LIVES] -= 1
            if store.lives[store.counts[LIVES]][L_IS_DONE] == 0:
                give_message(store, store.counts[LIVES])


KERNELS: Final = (
    hash_of, find_key, put_key, key_of, attempt_slot, copy_text, give_message, give_delivery, close, begin, known,
    life_key, cut_off, new_attempt, start, end, learn, note, join, keep_texts, carry_text,
    move_together, fill_slots, take_in, give_rest,
)  # fmt: skip
"""What is compiled, each behind those that it calls."""
