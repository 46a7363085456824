"""Numbers of things in words.

Rule 1: a person reads "1 message" and "2,000 messages", never "1 message(s)".
"""

from __future__ import annotations


def counted(count: int, thing: str) -> str:
    """Return how many there are of something.

    Args:
        count: How many.
        thing: The word for one of them; more of them get an s.

    Example:
        >>> counted(1, "line"), counted(18_016, "line")
        ('1 line', '18,016 lines')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
