"""Lesson 01, exercises about octets: Base64, PLAIN, challenge and response of CRAM-MD5.

Source: RFC 4648 section 4, RFC 4616, RFC 2195; the seed text's tutorial.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
from collections.abc import Mapping
from functools import partial
from typing import Final, cast

from indimail_kit.auth import cram, framing, plain
from indimail_kit.course.answers import as_number, kind_of
from indimail_kit.course.exercise import Drawn, Exercise
from indimail_kit.course.feedback import Grade
from indimail_kit.course.judging import judge_text, text_of
from indimail_kit.course.words import PASSWORDS, draw_password, draw_user
from indimail_kit.errors import SaslError

SERVER: Final = "mx.example.com"
"""Host in the challenges of exercises."""

WORD_COUNT: Final = 60
"""Words in the list for guessing."""

TRIED_COUNT: Final = 5
"""Words at its beginning that are never the answer, since the notebook's start cell tries some of them."""

SEED_USER: Final = "postmaster@example.com"
SEED_PASSWORD: Final = "pass"  # noqa: S105 - the seed text's, public since 2010


def _base64(text: str) -> str:
    return framing.encode_base64(text.encode())


def _decoded(text: str) -> bytes | None:
    try:
        return framing.decode_base64(text.encode("utf-8", "replace"))
    except SaslError:
        return None


# --- 01.1: encode a user ----------------------------------------------------------------------------------------


def _draw_user(rng: random.Random) -> Drawn:
    user = draw_user(rng)
    right = _base64(user)
    traps = {
        user: "This is the user as it is. After 334 the server wants Base64, and would decode this to garbage.",
        _base64(user + "\n"): "There is a newline in it, at the end: `echo` without -n puts it there.",
        _base64(user + "\r\n"): "There are CR and LF in it, at the end. Only the user itself is encoded.",
        _base64(user.partition("@")[0]): "The domain is missing. IndiMail's users are whole addresses.",
        _base64(right): "This is Base64 of Base64: encode once only.",
        _base64(SEED_USER): "This is the user of the tutorial. Encode yours, of the task above.",
        _base64(f"<{user}>"): "Without the angle brackets: they belong to MAIL FROM, not to AUTH.",
        user.encode().hex(): "These are hexadecimal digits, 4 bits each. Base64 has 6 bits in each character.",
        user.encode("utf-16-le").hex(): "These are hexadecimal digits, and of UTF-16. UTF-8 and Base64 are wanted.",
        framing.encode_base64(user.encode("utf-16-le")): "This is UTF-16, two octets a character. SASL wants UTF-8.",
    } | ({right.rstrip("="): "The padding is missing: fill up to groups of four with `=`."} if "=" in right else {})
    return Drawn(given={"user": user}, right=right, traps=traps)


def _otherwise_user(text: str) -> str:
    octets = _decoded(text.strip())
    if octets is None:
        return "This is no Base64: characters A–Z, a–z, 0–9, + and /, in groups of four, filled up with =."
    return "This is Base64, but of another text. Decode it and compare: base64.b64decode(answer)."


USER: Final = Exercise(
    number="01.1",
    grade=Grade.REPEAT,
    title="encode a user",
    goal="Encode this user as LOGIN wants it, in Base64.",
    reason="Right: the octets of the user and nothing else, 6 bits in each character. A server decodes it to"
    " your user.",
    way="base64.b64encode(user.encode()).decode(), or in a shell: printf %s USER | base64. No newline, no quotation"
    " marks.",
    hints=(
        "Look at how the tutorial's user became cG9z… above: the same function, another text.",
        'import base64; base64.b64encode takes octets: "text".encode() gives them.',
        'base64.b64encode(task["user"].encode()).decode(), with task = course.task("01.1").',
    ),
    draw=_draw_user,
    solve=lambda given: base64.b64encode(text_of(given, "user").encode()).decode(),
    judge=partial(judge_text, _otherwise_user),
)

# --- 01.2: repair a wrong Base64 --------------------------------------------------------------------------------


def _draw_newline(rng: random.Random) -> Drawn:
    password = draw_password(rng)
    broken = _base64(password + "\n")
    right = _base64(password)
    traps = {
        broken: "This is the same as before: the newline is still inside.",
        password: "The password is right, but it is not encoded. The server wants Base64 of it.",
        password + "\n": "The newline is still there, and it is not encoded.",
        _base64(password + "\r"): "Now a carriage return is inside. After the last character there must be nothing.",
        _base64(password + " "): "Now a blank is inside. After the last character there must be nothing.",
        _base64(password + "\\n"): "Now a backslash and an n are inside, two characters.",
        _base64(broken): "This is Base64 of the faulty Base64. Decode first, repair, then encode once.",
        broken.rstrip("="): "Cutting off the padding removes no newline: it is inside of the last group.",
    } | (
        {
            right.rstrip("="): "The newline is gone; now fill up to groups of four with `=`.",
            broken[:-4]: "The whole last group is gone, and a part of the password with it.",
        }
        if "=" in right
        else {}
    )
    return Drawn(given={"sent": broken, "the reply": "535 authorization failure (#5.7.8)"}, right=right, traps=traps)


def _otherwise_newline(text: str) -> str:
    octets = _decoded(text.strip())
    if octets is None:
        return "This is no Base64, so a strict server answers 501. Decode, repair, encode again."
    if octets.endswith((b"\n", b"\r")):
        return "There is still a line end inside, at the end of the decoded octets."
    return "This is Base64, but the password in it is not the one that was meant, without its newline."


NEWLINE: Final = Exercise(
    number="01.2",
    grade=Grade.CHANGE,
    title="repair a Base64",
    goal="Somebody typed the right password at LOGIN's second prompt, encoded with `echo` without -n. Repair what was"
    " sent.",
    reason="Right: the last octet was 0x0a, a newline, and the server took it for a part of the password. Without it"
    " the login works.",
    way='Decode, strip the newline, encode: base64.b64encode(base64.b64decode(sent).rstrip(b"\\n")).decode().',
    hints=(
        "Decode it and look at the end: base64.b64decode(sent).",
        "The last octet is \\n. bytes have a method rstrip.",
        'base64.b64encode(base64.b64decode(task["sent"]).rstrip()).decode().',
    ),
    draw=_draw_newline,
    solve=lambda given: base64.b64encode(base64.b64decode(text_of(given, "sent")).rstrip(b"\n")).decode(),
    judge=partial(judge_text, _otherwise_newline),
)

# --- 01.3: a captured PLAIN -------------------------------------------------------------------------------------


def _draw_plain(rng: random.Random) -> Drawn:
    user, password = draw_user(rng), draw_password(rng)
    token = plain.encode(authcid=user, passwd=password)
    traps = {
        user: "This is the user. The password stands behind the second NUL.",
        token: "This is what was sent. It is Base64 only: decode it.",
        f"AUTH PLAIN {token}": "This is the whole line. Decode what stands behind AUTH PLAIN.",
        _base64(password): "The right one, but still in Base64. A person would type it decoded.",
        f"\0{password}": "A NUL stands before it. It separates; it is no part of the password.",
        f"\0{user}\0{password}": "This is the whole message: authzid, NUL, user, NUL, password. Take the last part.",
        f"{user}\0{password}": "User and password with a NUL between. Take what stands behind it.",
        f"{user}{password}": "User and password are glued together here: a NUL, which is not printed, divides them.",
    }
    return Drawn(given={"captured": f"AUTH PLAIN {token}"}, right=password, traps=traps)


def _otherwise_plain(text: str) -> str:
    if "\0" in text:
        return "There is a NUL in it. NUL separates the three parts; the password is the last of them."
    if "@" in text:
        return "There is an @ in it, so it looks like a user. The password is the part behind the second NUL."
    return "This is not the password that was sent. Decode the Base64 and split it at the NULs."


PLAIN: Final = Exercise(
    number="01.3",
    grade=Grade.REPEAT,
    title="read a captured PLAIN",
    goal="This line was captured from a connection without TLS. Which password is in it?",
    reason="Right. It took no key and no guess: Base64 hides nothing, and a listener reads it as you did.",
    way='base64.b64decode(token).split(b"\\0") gives authzid, user and password; take the last.',
    hints=(
        "What stands behind AUTH PLAIN is Base64. What comes out has three parts.",
        'The parts are separated by NUL, b"\\0" in Python: RFC 4616 section 2.',
        'base64.b64decode(line.split()[-1]).split(b"\\0")[2].decode(), with line = task["captured"].',
    ),
    draw=_draw_plain,
    solve=lambda given: base64.b64decode(text_of(given, "captured").split()[-1]).split(b"\0")[2].decode(),
    judge=partial(judge_text, _otherwise_plain),
)

# --- 01.5: a challenge ------------------------------------------------------------------------------------------


def _draw_challenge(rng: random.Random) -> tuple[int, int, bytes]:
    pid, unix_s = rng.randrange(2_000, 4_000_000), rng.randrange(1_267_000_000, 1_795_000_000)
    return pid, unix_s, cram.make_challenge(pid=pid, unix_s=unix_s, host=SERVER)


def _draw_time(rng: random.Random) -> Drawn:
    pid, unix_s, challenge = _draw_challenge(rng)
    traps = {
        str(pid): "This is the first number, the process number of the server's program. The time is the second.",
        str(unix_s * 1000): "These are milliseconds. The server writes whole seconds.",
    }
    return Drawn(given={"challenge": framing.encode_base64(challenge)}, right=unix_s, traps=traps)


def _judge_time(drawn: Drawn, answer: object) -> str | None:
    number = as_number(answer)
    if number is None:
        return f"A whole number is wanted, the seconds since 1970; this is {kind_of(answer)}."
    if number == drawn.right:
        return None
    return drawn.traps.get(str(number), "This number is not in the challenge. Decode it: it is <number.number@host>.")


TIME: Final = Exercise(
    number="01.5",
    grade=Grade.REPEAT,
    title="read a challenge",
    goal="A server of 2010's kind writes its process number and the time into its challenge. When was this one made, in"
    " seconds since 1970?",
    reason="Right. Who can read the time and guess the process number can guess the challenge: this kit's server draws"
    " both at random, as RFC 2195 wants.",
    way="base64.b64decode(challenge) is <pid.time@host>: take the number between the dot and the @.",
    hints=(
        "It is Base64. Decoded it looks like the seed's <20137.1267585100@indimail.org>.",
        "The form is <pid.time@host>: the second number.",
        'int(base64.b64decode(task["challenge"]).split(b".")[1].split(b"@")[0]).',
    ),
    draw=_draw_time,
    solve=lambda given: int(base64.b64decode(text_of(given, "challenge")).split(b".")[1].split(b"@")[0]),
    judge=_judge_time,
)

# --- 01.6: a response -------------------------------------------------------------------------------------------


def _draw_response(rng: random.Random) -> Drawn:
    user, password = draw_user(rng), draw_password(rng)
    _pid, _unix_s, challenge = _draw_challenge(rng)
    token = framing.encode_base64(challenge)
    digest = cram.digest(challenge, passwd=password)
    right = cram.respond(token, authcid=user, passwd=password)
    bare = challenge.strip(b"<>")
    exchanged = hmac.digest(challenge, password.encode(), "md5").hex()
    concatenated = hashlib.md5(challenge + password.encode(), usedforsecurity=False).hexdigest()
    other = cram.digest(challenge, passwd=password, hash_name="sha256")
    wrong_digests = {
        cram.digest(token.encode(), passwd=password): "The digest is of the challenge in Base64. Decode it first: the"
        " HMAC is of <…@…> itself.",
        cram.digest(bare, passwd=password): "The digest is of the challenge without its angle brackets. They belong to"
        " it.",
        cram.digest(challenge, passwd=SEED_PASSWORD): "The digest is made with the tutorial's password, not with"
        " yours.",
        cram.digest(challenge, passwd=password + "\n"): "The password went in with a newline at its end.",
        digest.upper(): "The digest has capital letters. RFC 2195 wants lower case, and IndiMail compares text.",
        exchanged: "Key and text have changed places: the password is the key, the challenge is the text.",
        concatenated: "This is MD5 of challenge and password one after the other. CRAM wants HMAC, which hashes twice.",
        other: "The hash is SHA-256, so this would be CRAM-SHA256. CRAM-MD5 has 32 hexadecimal digits.",
    }
    traps = {_base64(f"{user} {wrong}"): sentence for wrong, sentence in wrong_digests.items()}
    traps |= {f"{user} {wrong}": sentence for wrong, sentence in wrong_digests.items()}
    traps |= dict(wrong_digests)
    traps |= {
        digest: "This is the digest alone. The response is the user, a blank and the digest, all in Base64.",
        _base64(digest): "This is the digest alone, in Base64. The user and a blank stand before it.",
        f"{user} {digest}": "User and digest are right. They go over the wire in Base64.",
        _base64(f"{user}{digest}"): "A blank is missing between user and digest.",
        _base64(f"{user} {digest}\n"): "There is a newline inside, at the end.",
        _base64(f"{SEED_USER} {digest}"): "The digest is right, and the user is the tutorial's. Take yours.",
        _base64(f"{user}\0{digest}"): "A NUL stands between user and digest, as in PLAIN. CRAM has a blank.",
        cram.respond(token, authcid=SEED_USER, passwd=SEED_PASSWORD): "This is the tutorial's user and password for"
        " your challenge. Take yours.",
        plain.encode(authcid=user, passwd=password): "This is a message for PLAIN, with the password in it. CRAM sends"
        " a digest.",
        token: "This is the challenge, sent back. The response is worked out from it.",
    }
    given = {"user": user, "password": password, "challenge": token}
    return Drawn(given=given, right=right, traps=traps)


def _otherwise_response(text: str) -> str:
    octets = _decoded(text.strip())
    if octets is None:
        return "This is no Base64. The response is Base64 of user, blank and digest."
    user, blank, digest = octets.partition(b" ")
    if not blank or b"@" not in user:
        return "Decoded, this is not a user, a blank and a digest."
    if len(digest) != 32:
        return "Decoded, the part behind the blank is not 32 characters long, so it is no MD5 in hexadecimal digits."
    return "The form is right; user or digest are not. Look at what went in: user, password, challenge, each of yours."


def _solve_response(given: Mapping[str, object]) -> str:
    user, password, challenge = (text_of(given, name) for name in ("user", "password", "challenge"))
    digest = hmac.new(password.encode(), base64.b64decode(challenge), "md5").hexdigest()
    return base64.b64encode(f"{user} {digest}".encode()).decode()


RESPONSE: Final = Exercise(
    number="01.6",
    grade=Grade.CHANGE,
    title="answer a challenge",
    goal="A server gives you this challenge. What do you send, with CRAM-MD5?",
    reason="Right: a digest that only this password gives, for this challenge only. The password stayed with you.",
    way="cram.respond(challenge, authcid=user, passwd=password); or by hand with hmac.new(password, challenge,"
    ' "md5"), both as octets.',
    hints=(
        "The same function as for the tutorial's challenge, with your three values.",
        "The HMAC's key is the password, its text the decoded challenge; then user, blank, digest; then Base64.",
        'cram.respond(task["challenge"], authcid=task["user"], passwd=task["password"]).',
    ),
    draw=_draw_response,
    solve=_solve_response,
    judge=partial(judge_text, _otherwise_response),
)

# --- 01.7: guess ------------------------------------------------------------------------------------------------


def _draw_guess(rng: random.Random) -> Drawn:
    user = draw_user(rng)
    words = tuple(rng.sample(PASSWORDS, WORD_COUNT))
    password = rng.choice(words[TRIED_COUNT:])
    _pid, _unix_s, challenge = _draw_challenge(rng)
    digest = cram.digest(challenge, passwd=password)
    traps = {
        user: "This is the user, who goes over the wire in clear. His password is a word of the list.",
        digest: "This is the digest that was captured. Which word gives it?",
        _base64(password): "The right word, but in Base64. A person would type it decoded.",
        password.upper(): "The right word, in capitals; the digest is of the word as it stands in the list.",
    }
    traps |= {word: "This word gives another digest. Let Python try them all." for word in words if word != password}
    given = {"user": user, "challenge": challenge.decode(), "digest": digest, "words": words}
    return Drawn(given=given, right=password, traps=traps)


def _otherwise_guess(_text: str) -> str:
    return "This word is not in the list. Somebody chose a word, and the list has it."


def _solve_guess(given: Mapping[str, object]) -> str:
    challenge, digest = text_of(given, "challenge").encode(), text_of(given, "digest")
    words = cast("tuple[str, ...]", given["words"])
    return next(word for word in words if hmac.new(word.encode(), challenge, "md5").hexdigest() == digest)


GUESS: Final = Exercise(
    number="01.7",
    grade=Grade.FIND_OUT,
    title="guess a captured CRAM-MD5",
    goal="A listener has this challenge and this digest. The password is one of the words. Which?",
    reason="Right, and the server never noticed: offline nobody counts the tries. A modern machine tries millions of"
    " words a second.",
    way="Make the digest of the challenge with each word, and take the word whose digest is the captured one.",
    hints=(
        "You have all that the client had, but for one word. Try the words.",
        "cram.digest(challenge, passwd=word) gives a digest to compare; the challenge is octets: .encode().",
        '[word for word in task["words"] if cram.digest(task["challenge"].encode(), passwd=word) == task["digest"]].',
    ),
    draw=_draw_guess,
    solve=_solve_guess,
    judge=partial(judge_text, _otherwise_guess),
)
