"""Accepted mails a second over SMTP: the dialogue against bare aiosmtpd, the whole way to the queue, fsync's price.

Every variant runs in a process of its own, the client in another; rounds alternate between the variants, and
medians and ratios are printed, since only what was measured side by side in one run can be compared. Run: python
tests/bench/bench_smtp.py
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import socket
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from aiosmtpd.smtp import SMTP

from indimail_kit.lab import Lab
from indimail_kit.mailqueue import INDIMAIL, SAFE

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

HOST = "127.0.0.1"
MESSAGE_BYTES = 2048
BODY = b"From: a@example.com\r\nTo: b@example.com\r\nSubject: t\r\n\r\n" + (b"x" * 70 + b"\r\n") * (
    (MESSAGE_BYTES - 60) // 72
)


class _NullHandler:
    """aiosmtpd's handler that says yes and forgets the mail."""

    async def handle_DATA(self, _server: object, _session: object, _envelope: object) -> str:  # noqa: N802
        return "250 OK"


def _serve_aiosmtpd(pipe: Connection) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(_NullHandler(), hostname="t"), HOST, 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await loop.run_in_executor(None, pipe.recv)

    asyncio.run(main())


def _serve_lab(pipe: Connection, variant: str) -> None:
    """Run a lab; "discard" says 250 without queueing, the others queue with or without fsync."""
    directory = Path(tempfile.mkdtemp(prefix="ik-bench-"))
    sync = SAFE if variant == "queue, fsync" else INDIMAIL
    with Lab(scanner="embedded", directory=directory, sync=sync) as lab:
        lab.set_variable("QHPSI", None)  # scanning is measured elsewhere
        lab._parts.sender.stop()
        if variant == "discard":

            async def discard(_record: object, _transaction: object) -> str:
                return "250 ok 0 qp 0"

            lab._parts.service.queue = discard
        pipe.send(lab.port)
        pipe.recv()
    import shutil

    shutil.rmtree(directory)


def _session(port: int, mails: int) -> None:
    with socket.create_connection((HOST, port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = connection.makefile("rb")

        def reply(wanted: bytes) -> None:
            while True:
                line = reader.readline()
                if line[3:4] == b" ":
                    break
            if not line.startswith(wanted):
                raise SystemExit(f"unexpected reply {line!r}")

        reply(b"220")
        connection.sendall(b"EHLO x\r\n")
        reply(b"250")
        for _ in range(mails):
            for command, wanted in (
                (b"MAIL FROM:<a@example.com>\r\n", b"250"),
                (b"RCPT TO:<b@example.com>\r\n", b"250"),
                (b"DATA\r\n", b"354"),
                (BODY + b".\r\n", b"250"),
            ):
                connection.sendall(command)
                reply(wanted)
        connection.sendall(b"QUIT\r\n")
        reply(b"221")


def _rate(port: int, connections: int, mails: int) -> float:
    """Return accepted mails a second over some connections at once."""
    threads = [threading.Thread(target=_session, args=(port, mails)) for _ in range(connections)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return connections * mails / (time.perf_counter() - start)


def _client(pipe: Connection) -> None:
    """Measure on demand, in a process of its own."""
    while (order := pipe.recv()) is not None:
        pipe.send(_rate(*order))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mails", type=int, default=200, help="mails a connection and round")
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    variants = ("aiosmtpd, null handler", "discard", "queue, no fsync", "queue, fsync")
    processes, pipes, ports = [], {}, {}
    for variant in variants:
        pipes[variant], theirs = context.Pipe()
        target, rest = (_serve_aiosmtpd, (theirs,)) if variant == variants[0] else (_serve_lab, (theirs, variant))
        processes.append(context.Process(target=target, args=rest))
        processes[-1].start()
        ports[variant] = pipes[variant].recv()
    orders, theirs = context.Pipe()
    processes.append(context.Process(target=_client, args=(theirs,)))
    processes[-1].start()
    print(f"mails of {MESSAGE_BYTES} octets, {arguments.rounds} rounds, variants alternate; medians")
    for connections in (1, 8):
        rates: dict[str, list[float]] = {variant: [] for variant in variants}
        for _ in range(arguments.rounds + 1):
            for variant in variants:
                orders.send((ports[variant], connections, max(10, arguments.mails // connections)))
                rates[variant].append(orders.recv())
        medians = {
            variant: statistics.median(values[1:]) for variant, values in rates.items()
        }  # the first round warms up
        print(f"\n{connections} connection{'s' * (connections > 1)}")
        for variant in variants:
            print(
                f"  {variant:<24}{medians[variant]:8.0f}/s   {medians[variant] / medians[variants[0]]:5.2f} x aiosmtpd"
            )
        print(f"  fsync costs             {medians['queue, no fsync'] / medians['queue, fsync']:8.2f} x")
    orders.send(None)
    for pipe in pipes.values():
        pipe.send(None)
    for process in processes:
        process.join(30)


if __name__ == "__main__":
    main()
