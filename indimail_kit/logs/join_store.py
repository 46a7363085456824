"""The hash tables of the join: keys of messages, and open deliveries.

Rule 1: as in `kernel`; the functions are compiled in the list of `join_carry`.
Rule 2: a key is never taken out, because its count of lives goes on; deliveries are entered anew for each block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from indimail_kit.logs.join_codes import (
    D_NUMBER,
    D_QUEUE,
    K_LIFE,
    K_LIFETIMES,
    K_NUMBER,
    K_QUEUE,
    KEYS,
    NAMELESS,
    Store,
)

if TYPE_CHECKING:
    Row = Any

NOTHING: Final = -1
"""No row, no key, no text."""


def hash_of(queue: int, number: int, size: int) -> int:
    """Return where a key would stand in a hash table whose size is a power of two."""
    mixed = (number & 0xFFFFFFFF) * 0x2545F491 + (number >> 32) * 0x1B873593 + queue * 0x2F9BE6CC
    return (mixed ^ (mixed >> 29)) & (size - 1)


def find_key(store: Store, queue: int, number: int) -> int:
    """Return the key of a message number in a queue, or NOTHING."""
    size = len(store.key_slots)
    slot = hash_of(queue, number, size)
    while store.key_slots[slot] != NOTHING:
        key = store.key_slots[slot]
        if store.keys[key][K_NUMBER] == number and store.keys[key][K_QUEUE] == queue:
            return int(key)
        slot = (slot + 1) & (size - 1)
    return NOTHING


def put_key(store: Store, key: int) -> None:
    """Enter a key into the hash table."""
    size = len(store.key_slots)
    slot = hash_of(store.keys[key][K_QUEUE], store.keys[key][K_NUMBER], size)
    while store.key_slots[slot] != NOTHING:
        slot = (slot + 1) & (size - 1)
    store.key_slots[slot] = key


def key_of(store: Store, queue: int, number: int) -> int:
    """Return the key of a message number in a queue; a new one gets its row."""
    key = find_key(store, queue, number)
    if key == NOTHING:
        key = int(store.counts[KEYS])
        store.counts[KEYS] += 1
        if queue == 0:
            store.counts[NAMELESS] += 1
        row = store.keys[key]
        row[K_QUEUE], row[K_NUMBER], row[K_LIFETIMES], row[K_LIFE] = queue, number, 0, NOTHING
        put_key(store, key)
    return key


def attempt_slot(store: Store, queue: int, number: int) -> int:
    """Return the place in the hash table where a delivery stands or would stand."""
    size = len(store.attempt_slots)
    slot = hash_of(queue, number, size)
    while store.attempt_slots[slot] != NOTHING:
        row = store.attempts[store.attempt_slots[slot]]
        if row[D_NUMBER] == number and row[D_QUEUE] == queue:
            break
        slot = (slot + 1) & (size - 1)
    return slot
