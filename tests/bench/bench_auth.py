"""Checks a second: CRAM-MD5 against bare hmac.digest, and what the other mechanisms cost.

Rounds alternate between the variants; medians and ratios are printed, since only what was measured side by side in one
run can be compared. Exit code 1 where CRAM-MD5's ratio is above the limit. Run: python tests/bench/bench_auth.py
"""

from __future__ import annotations

import argparse
import hmac
import statistics
import sys
import time
from collections.abc import Callable

from indimail_kit.auth import cram, crypt3, digest_md5, plain, scram
from indimail_kit.auth.cram import CramProof
from indimail_kit.auth.stored import Account

LIMIT = 1.5
"""Most that verifying may cost, in bare hmac.digest."""

CHALLENGE = b"<20137.1267585100@indimail.org>"
KEY = b"pass"


def variants() -> dict[str, tuple[Callable[[], object], int]]:
    """Return name -> (one check, how often in a round)."""
    account = Account(address="tim", pw_passwd="{CRAM}pass," + crypt3.make_hash("pass"))
    response = cram.decode_response(cram.encode_response(CHALLENGE, authcid="tim", passwd="pass"))
    proof = CramProof(response=response, challenge=CHALLENGE, hash_name="md5")
    message = plain.decode(plain.encode_message(authcid="tim", passwd="pass"))
    asked = digest_md5.respond(digest_md5.make_challenge(host="h"), authcid="tim", passwd="pass")
    return {
        "bare hmac.digest": (lambda: hmac.digest(KEY, CHALLENGE, "md5"), 20000),
        "CRAM-MD5, verify": (
            lambda: cram.verify(challenge=CHALLENGE, response=response, passwd="pass", hash_name="md5"),
            20000,
        ),
        "CRAM-MD5, with the account": (lambda: proof.matches(account), 20000),
        "DIGEST-MD5": (lambda: asked.matches(account), 5000),
        "PLAIN, sha512-crypt": (lambda: message.matches(account), 20),
        "SCRAM-SHA-256, keys": (lambda: scram.keys_of(account, authcid="tim", hash_name="sha256"), 40),
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    seconds: dict[str, list[float]] = {}
    table = variants()
    for _ in range(rounds):
        for name, (check, count) in table.items():
            begun = time.perf_counter()
            for _ in range(count):
                check()
            seconds.setdefault(name, []).append((time.perf_counter() - begun) / count)
    bare = statistics.median(seconds["bare hmac.digest"])
    for name, measured in seconds.items():
        median = statistics.median(measured)
        print(f"{name:28} {median * 1e6:10.2f} us  {1 / median:10.0f}/s  {median / bare:9.2f} x")
    ratio = statistics.median(seconds["CRAM-MD5, verify"]) / bare
    print(f"CRAM-MD5 verification: {ratio:.2f} x bare hmac.digest (limit {LIMIT})")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
