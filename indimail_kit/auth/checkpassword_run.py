"""Running a checkpassword module, as qmail-smtpd does.

Source: IndiMail smtpd.c `authenticate()`, `smtp_auth()` (what each exit code means).

Note for maintainers: the real module has the client's socket as its standard input and output, and what it prints goes
to the client; here both are /dev/null. Standard error is ours, the log.

Rule 1: a module whose end nobody saw has not said that a password is right.
Rule 2: no shell; fields on fd 3 and nowhere else: not in the arguments, not in the environment.
"""

from __future__ import annotations

import fcntl
import io
import os
import select
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Final

from indimail_kit import sigchld
from indimail_kit.auth import replies
from indimail_kit.auth.authority import WRONG_PASSWD, Judgement, Lookup
from indimail_kit.auth.checkpassword import (
    EXIT_MISUSE,
    EXIT_NO_RELAY,
    EXIT_OK,
    EXIT_TEMPORARY,
    EXIT_WRONG,
    INPUT_FD,
    MAX_BYTES,
    RSPAUTH_FD,
    ModuleAnswer,
    make_fields,
)
from indimail_kit.auth.mechanisms import find_mechanism
from indimail_kit.auth.replies import EndExchangeError
from indimail_kit.auth.stored import Account, Proof
from indimail_kit.errors import AccountError, SaslError

TIMEOUT_S: Final = 60.0
"""Longest run of a module (unit: s); qmail-smtpd waits for ever."""

RSPAUTH_BYTES: Final = 33
"""Most octets that are read from fd 6 (unit: octets): 32 digits, and the NUL that some modules add."""

_UNSEEN: Final = f"a checkpassword module: {sigchld.UNSEEN}"

_SAFE_FD: Final = 20
"""Our ends of the pipes are above this number, so that 0, 1, 3 and 6 are free in the child."""


def run_module(
    argv: Sequence[str],
    octets: bytes,
    *,
    environ: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> ModuleAnswer:
    """Run a module and return its answer.

    Args:
        argv: Path of the program and its arguments, the next modules of the chain among them.
        octets: What it reads, see `Fields.encode`.
        environ: Its environment, None for ours.
        timeout_s: Longest run (unit: s); then it and its children are killed.

    Raises:
        AccountError: The program cannot be run, or SIGCHLD is ignored, so that its end cannot be seen.
        SaslError: There are more than 512 octets.
    """
    if len(octets) > MAX_BYTES:
        raise SaslError(f"at most {MAX_BYTES} octets for a checkpassword module")
    if sigchld.is_ignored():
        raise AccountError(_UNSEEN)
    with ExitStack() as stack:
        their_input, our_output = _pipe(stack)
        our_input, their_output = _pipe(stack)
        null = stack.enter_context(open(os.devnull, "r+b", buffering=0))  # noqa: PTH123 - both directions, unbuffered
        files = {0: null, 1: null, INPUT_FD: their_input, RSPAUTH_FD: their_output}
        pid = _spawn(argv, environ, {theirs: file.fileno() for theirs, file in files.items()})
        # Only the child has its ends now, so that its end is the end of what we read.
        their_input.close()
        their_output.close()
        with suppress(BrokenPipeError):
            our_output.write(octets)
        our_output.close()
        return _await(pid, our_input, time.monotonic() + timeout_s)


def _pipe(stack: ExitStack) -> tuple[io.FileIO, io.FileIO]:
    """Return both ends of a pipe, above the numbers that the child has."""
    ends = os.pipe2(os.O_CLOEXEC)
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _SAFE_FD) for fd in ends]
    for fd in ends:
        os.close(fd)
    reader, writer = (io.FileIO(fd, mode) for fd, mode in zip(moved, "rw", strict=True))
    stack.callback(reader.close)
    stack.callback(writer.close)
    return reader, writer


def _spawn(argv: Sequence[str], environ: Mapping[str, str] | None, descriptors: Mapping[int, int]) -> int:
    """Start the program in a process group of its own, with these descriptors (theirs -> ours) and standard error."""
    try:
        return os.posix_spawn(
            argv[0],
            list(argv),
            dict(os.environ if environ is None else environ),
            file_actions=[(os.POSIX_SPAWN_DUP2, ours, theirs) for theirs, ours in descriptors.items()],
            setpgroup=0,
            setsigdef=[signal.SIGPIPE],
        )
    except (OSError, ValueError, IndexError) as error:
        problem = getattr(error, "strerror", None) or "no program, or NUL in an argument"
    raise AccountError(f"a checkpassword module that cannot be run: {problem}")


def _await(pid: int, rspauth: io.FileIO, deadline: float) -> ModuleAnswer:
    """Read fd 6 and wait for the end, or kill."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:  # ended, and its end was thrown away
        raise AccountError(_UNSEEN) from None
    written = b""
    sources = [handle, rspauth.fileno()]
    try:
        while handle in sources:
            ready, _, _ = select.select(sources, [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                _kill(pid)
                deadline = time.monotonic() + TIMEOUT_S
                continue
            if rspauth.fileno() in ready:
                more = rspauth.read(RSPAUTH_BYTES - len(written)) or b""
                written += more
                if not more or len(written) == RSPAUTH_BYTES:
                    sources.remove(rspauth.fileno())
            elif handle in ready:
                sources.remove(handle)
    except BaseException:
        _kill(pid)
        raise
    finally:
        os.close(handle)
        exit_code = _reap(pid)
    return ModuleAnswer(exit_code if exit_code >= 0 else None, written)


def _kill(pid: int) -> None:
    """Kill the module and its children, if they are there."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _reap(pid: int) -> int:
    """Return how the module ended."""
    try:
        _pid, status = os.waitpid(pid, 0)
    except ChildProcessError:  # SIGCHLD is ignored by code that is not Python's, or somebody else waits for children
        raise AccountError(_UNSEEN) from None
    return os.waitstatus_to_exitcode(status)


class ModuleAuthority:
    """An authority that runs a checkpassword module for each proof.

    Args:
        argv: Path of the program and its arguments.
        mechanism: Mechanism of the exchange; its number goes into the fourth field.
        lookup: Finds accounts for SCRAM, which qmail-smtpd checks itself; None for no SCRAM.
        environ: The module's environment, None for ours.
        timeout_s: Longest run (unit: s).
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        mechanism: str,
        lookup: Lookup | None = None,
        environ: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        row = find_mechanism(mechanism)
        self._argv = tuple(argv)
        self._method = row.fd3_method if row is not None else 0
        self._lookup = lookup
        self._environ = environ
        self._timeout_s = timeout_s

    def find(self, authcid: str) -> Account | None:
        """Return the account of a user, None for an unknown one or where there is no table."""
        return self._lookup(authcid) if self._lookup is not None else None

    def judge(self, proof: Proof) -> Judgement:
        """Run the module; its exit code is the judgement.

        Raises:
            AccountError: It exits 111, cannot be run, or the fields are too long for it.
            EndExchangeError: It crashes, or exits with a code that has no meaning.
        """
        second, third = proof.fd3_fields()
        user = proof.authcid.encode("utf-8", "surrogateescape")
        octets = b""
        with suppress(SaslError):
            octets = make_fields(user, second, third, method=self._method).encode()
        if not octets:
            return Judgement(proof.authcid, "fields that are too long for a checkpassword module")
        answer = run_module(self._argv, octets, environ=self._environ, timeout_s=self._timeout_s)
        if answer.exit_code in {EXIT_WRONG, EXIT_MISUSE}:
            return Judgement(proof.authcid, WRONG_PASSWD)
        if answer.exit_code == EXIT_TEMPORARY:
            raise AccountError("a checkpassword module that could not find out (exit 111)")
        if answer.exit_code not in {EXIT_OK, EXIT_NO_RELAY}:
            raise EndExchangeError(replies.CRASHED, "a checkpassword module that crashed", proof.authcid)
        can_relay = answer.exit_code == EXIT_OK
        return Judgement(proof.authcid, can_relay=can_relay, server_proof=answer.rspauth.removesuffix(b"\0"))
