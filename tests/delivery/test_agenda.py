"""Who is due when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.delivery.agenda import Agenda


def agenda_of(*pairs: tuple[int, int]) -> Agenda:
    """Return an agenda with these messages and times."""
    agenda = Agenda()
    for message_number, due_s in pairs:
        agenda.put(message_number, due_s)
    return agenda


def test_nothing_is_taken_before_its_time() -> None:
    """Both sides of the second."""
    agenda = agenda_of((7, 100))

    assert (agenda.take(99), agenda.take(100), agenda.take(100)) == (None, 7, None)


def test_first_come_first_served_within_a_second() -> None:
    """Equal times keep the order of arrival."""
    agenda = agenda_of((9, 5), (3, 5), (6, 5))

    assert [agenda.take(5), agenda.take(5), agenda.take(5)] == [9, 3, 6]


def test_message_put_again_has_its_new_time_only() -> None:
    """A message waits once, so it is never tried twice at the same time."""
    agenda = agenda_of((7, 100), (7, 50), (7, 200))

    assert (len(agenda), agenda.next_due_s(), agenda.take(199), agenda.take(200), len(agenda)) == (1, 200, None, 7, 0)


def test_hurry_makes_all_due_in_order() -> None:
    """As after SIGALRM: the one that would have been next stays next."""
    agenda = agenda_of((1, 300), (2, 100), (3, 200))
    agenda.hurry(10)

    assert list(agenda) == [(2, 10), (3, 10), (1, 10)]


@given(pairs=st.lists(st.tuples(st.integers(1, 6), st.integers(0, 9)), max_size=20))
def test_everything_put_in_comes_out_in_time_order(pairs: list[tuple[int, int]]) -> None:
    """Each message once, the last time given counts, rising."""
    agenda = agenda_of(*pairs)
    listed = list(agenda)
    taken = [agenda.take(9) for _ in listed]

    assert dict(listed) == dict(pairs)
    assert [due_s for _, due_s in listed] == sorted(due_s for _, due_s in listed)
    assert taken == [number for number, _ in listed]
    assert agenda.next_due_s() is None
