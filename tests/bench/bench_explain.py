"""Explaining a recordio log: seconds for 10,000 lines (the promise is 2 s), and whether the time grows with the lines.

The log has many sessions at once, each with a login; refused ones, long ones and one with thousands of logins are
timed as well. Growth is the time of four times the lines over the time: 4 is linear. Run: python
tests/bench/bench_explain.py
"""

from __future__ import annotations

import base64
import hmac
import statistics
import time
from collections.abc import Callable

from indimail_kit.auth.annotate import explain

LINES = 10_000
LIMIT_S = 2.0
ROUNDS = 3


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def sessions(count: int) -> str:
    """Return about this many lines: three sessions at once all the time, LOGIN, PLAIN and CRAM-MD5, a mail in each."""
    lines: list[str] = []
    pid = 1000
    while len(lines) < count:
        talks = [_session(pid + one, one) for one in range(3)]
        pid += 3
        for row in range(max(map(len, talks))):
            lines += [f"@400000006b03f010{len(lines):08x} {talk[row]}" for talk in talks if row < len(talk)]
    return "\n".join(lines[:count])


def _session(pid: int, kind: int) -> list[str]:
    user = f"user{pid}@example.com"
    challenge = f"<{pid}.1267585100@mx.example.com>"
    digest = hmac.digest(b"pass", challenge.encode(), "md5").hex()
    logins = (
        [
            ("<", "AUTH LOGIN"),
            (">", "334 VXNlcm5hbWU6"),
            ("<", _b64(user)),
            (">", "334 UGFzc3dvcmQ6"),
            ("<", "cGFzcw=="),
        ],
        [("<", f"AUTH PLAIN {_b64(chr(0) + user + chr(0) + 'pass')}")],
        [("<", "AUTH CRAM-MD5"), (">", f"334 {_b64(challenge)}"), ("<", _b64(f"{user} {digest}"))],
    )
    talk = [
        (">", "220 mx ESMTP"),
        ("<", "EHLO c"),
        (">", "250-mx"),
        (">", "250-AUTH LOGIN PLAIN CRAM-MD5"),
        (">", "250 HELP"),
    ]
    talk += [*logins[kind], (">", "235 ok, go ahead (#2.0.0)"), ("<", "MAIL FROM:<a@example.com>"), (">", "250 ok")]
    talk += [("<", "DATA"), (">", "354 go ahead"), ("<", "Subject: x"), ("<", ""), ("<", "hello"), ("<", ".")]
    talk += [(">", "250 ok 1 qp 2"), ("<", "QUIT"), (">", "221 bye")]
    return [f"{pid} {mark} {text} " for mark, text in talk]


def attack(count: int) -> str:
    """Return one session in which one client tries passwords, each another one."""
    lines = ["7 > 220 mx "]
    for number in range(count // 2):
        lines += [f"7 < AUTH PLAIN {_b64(f'{chr(0)}ann@example.com{chr(0)}secret{number}')} ", "7 > 535 no "]
    return "\n".join(lines)


def one_exchange(count: int) -> str:
    """Return one exchange that never ends."""
    return "7 > 220 mx \n7 < AUTH LOGIN \n" + "7 > 334 VXNlcm5hbWU6 \n7 < cGFzcw== \n" * (count // 2)


def blanks_only(count: int) -> str:
    """Return a telnet paste with prose around one login."""
    return "220 mx\nauth login\n334 VXNlcm5hbWU6\n" + "some words that nobody understands\n" * count


def one_line(count: int) -> str:
    """Return one answer of about ten characters for each line that the others have, with as many parts as can be."""
    return f"7 > 220 mx \n7 < AUTH PLAIN {_b64(('A' + chr(0)) * (count * 4))} \n7 > 535 no "


SHAPES: dict[str, Callable[[int], str]] = {
    "recordio, three sessions at once": sessions,
    "one client trying passwords": attack,
    "an exchange without end": one_exchange,
    "prose in a paste": blanks_only,
    "one very long line": one_line,
}


def measure_s(text: str) -> float:
    """Return the median time of an explanation (unit: s)."""
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        explain(text, passwd_of=lambda _user: "pass")
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def main() -> None:
    """Print seconds and growth for each shape of log."""
    for name, make in SHAPES.items():
        small, large = measure_s(make(LINES)), measure_s(make(4 * LINES))
        growth = large / small
        verdict = "within" if small <= LIMIT_S else "OVER"
        print(f"{name:<33} {LINES} lines {small:6.3f} s ({verdict} {LIMIT_S} s), growth {growth:5.2f} (linear: 4)")


if __name__ == "__main__":
    main()
