"""``auth encode``, ``auth verify`` and ``auth explain``: the client's messages, the server's check, every octet told.

Rule 1: a password comes from standard input, a file or a prompt; never from the command line.
Rule 2: what is printed went through the masking of `auth.annotate`, unless ``--show-secrets`` is given.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from indimail_kit.cli.output import EXIT_FOUND, json_option, note, print_json
from indimail_kit.cli.passwords import password_options, read_password
from indimail_kit.visible import visible

if TYPE_CHECKING:
    from indimail_kit.auth import AuthResult, ClientExchange, Mechanism


@click.group()
def auth() -> None:
    """SMTP AUTH: make the client's messages, check a response, have a session explained."""


@auth.command("encode")
@click.argument("mech")
@click.argument("user")
@click.option("--challenge", metavar="B64", help="What the server wrote behind 334 (CRAM-*, DIGEST-MD5).")
@click.option("--authzid", metavar="Z", default="", help="Whom to act for (PLAIN); mostly nobody.")
@password_options
@json_option
def encode(
    mech: str,
    user: str,
    challenge: str | None,
    authzid: str,
    password_stdin: bool,
    password_file: Path | None,
    as_json: bool,
) -> None:
    """Print what a client sends, in Base64, one message a line.

    PLAIN has one message, LOGIN two; CRAM-* and DIGEST-MD5 answer a --challenge; SCRAM-* begins with client-first.
    For XOAUTH2 the password is the bearer token.
    """
    row = _mechanism(mech)
    if _needs_challenge(row) and challenge is None:
        raise click.UsageError(
            f"{row.name} answers a challenge: give what the server wrote behind 334 with --challenge"
        )
    passwd = read_password(password_stdin, password_file, f"Password of {visible(user)}")
    messages = _client_messages(row, user, passwd, challenge, authzid)
    if as_json:
        print_json(messages)
    else:
        for message in messages:
            click.echo(message)


def _mechanism(name: str) -> Mechanism:
    """Return the row of a mechanism, or complain about its name."""
    from indimail_kit.auth import MECHANISMS, find_mechanism

    row = find_mechanism(name)
    if row is None:
        raise click.BadParameter(f"one of {', '.join(MECHANISMS)} is wanted", param_hint="MECH")
    return row


def _needs_challenge(row: Mechanism) -> bool:
    """Say whether the client's first message answers something that nobody can know before."""
    return not row.is_client_first and row.name != "LOGIN"


def _client_messages(row: Mechanism, user: str, passwd: str, challenge: str | None, authzid: str) -> list[str]:
    """Play the client as far as the challenge goes."""
    from indimail_kit.auth import ClientExchange, framing, login

    client = ClientExchange(row.name, authcid=user, passwd=passwd, authzid=authzid)
    first = client.start()
    if first is not None:
        return [first]
    prompts = (login.USERNAME_PROMPT, login.PASSWORD_PROMPT)
    asked = [framing.encode_base64(prompt) for prompt in prompts]
    if row.name != "LOGIN":
        asked = [challenge or ""]
    return [_answer(client, text) for text in asked]


def _answer(client: ClientExchange, text: str) -> str:
    """Answer one challenge; a client that cancels tells what is wrong with it."""
    answer = client.feed(text)
    if client.reason:
        raise click.BadParameter(client.reason, param_hint="--challenge")
    return answer


@auth.command("verify")
@click.argument("mech")
@click.argument("user")
@click.option("--challenge", metavar="B64", help="What the server wrote behind 334 (CRAM-*, DIGEST-MD5).")
@click.option(
    "--response",
    "responses",
    metavar="B64",
    multiple=True,
    required=True,
    help="What the client sent; twice for LOGIN.",
)
@password_options
@json_option
def verify(
    mech: str,
    user: str,
    challenge: str | None,
    responses: tuple[str, ...],
    password_stdin: bool,
    password_file: Path | None,
    as_json: bool,
) -> None:
    """Check a client's response against the right password; exit code 0 or 1."""
    row = _mechanism(mech)
    if _needs_challenge(row) and challenge is None:
        raise click.UsageError(f"a response of {row.name} is checked with its challenge: --challenge")
    passwd = read_password(password_stdin, password_file, f"Right password of {visible(user)}")
    result = _server_result(row, user, passwd, challenge, responses)
    reason = result.reason and _reason(result, row, user, passwd, challenge, responses)
    document = {"ok": result.ok, "mechanism": row.name, "user": result.authcid or user, "reason": reason}
    if as_json:
        print_json(document)
    elif result.ok:
        click.echo(f"✓ The response is right: {row.name}, {visible(result.authcid)}.")
    else:
        click.echo(f"✕ The response is not right: {visible(reason)}")
    if not result.ok:
        raise SystemExit(EXIT_FOUND)


def _server_result(
    row: Mechanism, user: str, passwd: str, challenge: str | None, responses: tuple[str, ...]
) -> AuthResult:
    """Play the server that has this one user."""
    from indimail_kit.auth import Account, ServerExchange, framing
    from indimail_kit.auth.stored import encode_pw_passwd
    from indimail_kit.errors import SaslError

    account = Account(address=user, pw_passwd=encode_pw_passwd(passwd))
    try:
        octets = framing.decode_base64(framing.encode_utf8(challenge or "", expected="Base64"))
        texts = [framing.encode_utf8(text, expected="Base64") for text in responses]
    except SaslError as error:
        raise click.BadParameter(str(error), param_hint="--challenge or --response") from None
    server = ServerExchange(
        row.name, lookup=lambda authcid: account if authcid.lower() == user.lower() else None, challenge=octets or None
    )
    server.start()
    for text in texts:
        if server.result is None:
            server.feed(text)
    if server.result is None or row.name.startswith("SCRAM"):
        raise click.UsageError(
            f"{row.name} needs more than these responses; have the whole dialogue checked with "
            "`indimail-kit auth explain --password-file F SESSION`"
        )
    return server.result


def _reason(
    result: AuthResult, row: Mechanism, user: str, passwd: str, challenge: str | None, responses: tuple[str, ...]
) -> str:
    """Return why a response is wrong, as `explain` sees it; else as the server does."""
    from indimail_kit.auth.annotate import explain

    if result.authcid and result.authcid.lower() != user.lower():
        return f"a response of another user: {result.authcid}"
    questions = (challenge or "",) if row.name != "LOGIN" else ("VXNlcm5hbWU6", "UGFzc3dvcmQ6")
    lines = [f"C: AUTH {row.name}"]
    for question, response in zip(questions, responses, strict=False):
        lines += [f"S: 334 {question}", f"C: {response}"]
    explanation = explain("\n".join([*lines, "S: 535"]), passwd_of=lambda _user: passwd)
    verdicts = [step.verdict for step in explanation.steps if step.direction == "client" and step.verdict]
    return verdicts[-1] if verdicts else result.reason


@auth.command("explain")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), default="-")
@click.option("--show-secrets", is_flag=True, help="Show passwords, digests and tokens instead of masking them.")
@click.option("--ask-password", is_flag=True, help="Ask for the right password, to say whether it was used rightly.")
@click.option("--user", help="Whose password it is; default: everybody's who logs in.")
@password_options
@json_option
def explain(
    file: Path,
    show_secrets: bool,
    ask_password: bool,
    user: str | None,
    password_stdin: bool,
    password_file: Path | None,
    as_json: bool,
) -> None:
    """Explain a session: who said what, which octet is what, and why a login failed.

    FILE is a paste or a log of telnet, swaks, curl -v, recordio, smtplib, aiosmtpd, a C:/S: dialogue, or Base64 alone;
    '-', the default, is standard input. With the right password the verdicts say whether it was used rightly.
    """
    from indimail_kit.auth import annotate

    is_stdin = str(file) == "-"
    if is_stdin and (password_stdin or str(password_file) == "-" or ask_password):
        raise click.UsageError("the session comes from standard input, so the password cannot: use --password-file")
    passwd: str | None = None
    if password_stdin or password_file is not None or ask_password:
        passwd = read_password(password_stdin, password_file, "Right password")

    def passwd_of(name: str) -> str | None:
        return passwd if user is None or name.strip().lower() == user.lower() else None

    explanation = annotate.explain(_read(file, is_stdin=is_stdin), passwd_of=passwd_of, show_secrets=show_secrets)
    if as_json:
        print_json(explanation.as_document())
    else:
        _print(explanation.as_text())


def _read(file: Path, *, is_stdin: bool) -> bytes:
    if not is_stdin:
        return file.read_bytes()
    if sys.stdin.isatty():
        note("Paste the session; Ctrl-D ends it.")
    return sys.stdin.buffer.read()


def _print(text: str) -> None:
    """Print the text; on a terminal the verdicts stand out."""
    is_verdict = False
    for line in text.split("\n"):
        body = line.lstrip()
        is_verdict = body.startswith("►") or (is_verdict and bool(body) and not _begins_step(line))
        # Bold for a verdict; click drops the style where there is no terminal.
        click.echo(click.style(line, bold=True) if is_verdict else line)


def _begins_step(line: str) -> bool:
    return line[:5].strip().isdigit() or line.lstrip()[:1] in "├└…"
