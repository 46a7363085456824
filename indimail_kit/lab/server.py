"""The thread in which SMTP sessions run, and its listening socket on loopback: of the lab, and of its second host.

Source: aiosmtpd's Controller does the same but cannot take port 0 and tell the port afterwards.

Rule 1: the address is 127.0.0.1 and nothing else (promise 8).
"""

from __future__ import annotations

import asyncio
import errno
import threading
import weakref
from typing import TYPE_CHECKING, Final

from indimail_kit.errors import LabError
from indimail_kit.lab.smtpd import QmailSmtpd

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from indimail_kit.lab.smtp_wire import Service

HOST: Final = "127.0.0.1"
"""The only address the lab listens on."""

_START_S: Final = 10.0
"""How long the thread may take to listen (unit: s)."""

_END_S: Final = 5.0
"""How long cancelled sessions may take to end (unit: s)."""


class LoopbackServer:
    """Listens on loopback and lets somebody talk with each client.

    Attributes:
        host: Always 127.0.0.1.
        port: The port it listens on; 0 before `start`.
        loop: The event loop of its thread.
    """

    def __init__(
        self, protocol: Callable[[asyncio.AbstractEventLoop], asyncio.BaseProtocol], *, port: int = 0, name: str
    ) -> None:
        self.host = HOST
        self.port = 0
        self.loop = asyncio.new_event_loop()
        self._protocol = protocol
        self._protocols: weakref.WeakSet[asyncio.BaseProtocol] = weakref.WeakSet()
        self._wanted_port = port
        self._stop = asyncio.Event()
        self._is_listening = threading.Event()
        self._server: asyncio.Server | None = None
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Listen; return when clients can connect.

        Raises:
            LabError: The port is taken or may not be used.
        """
        self._thread.start()
        if not self._is_listening.wait(_START_S):
            raise LabError("the SMTP server's thread did not start listening")
        if self._failure is not None:
            self._thread.join()
            taken = self._failure.errno == errno.EADDRINUSE
            why = (
                "is used by another program; take another port, or 0 for any free one"
                if taken
                else str(self._failure.strerror)
            )
            raise LabError(f"port {self._wanted_port} on {HOST} {why}")

    def stop(self) -> None:
        """End all sessions and stop listening; a second call does nothing."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(_START_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._serve())
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()

    @property
    def is_listening(self) -> bool:
        """Say whether clients can connect."""
        return self._server is not None

    def stop_listening(self) -> None:
        """Take no new client; sessions that are on go on. This is what ``svc -d`` does to tcpserver."""
        self._do(self._close())

    def listen_again(self) -> None:
        """Take clients again, on the same port.

        Raises:
            LabError: Another program has taken the port, or the server was stopped for good.
        """
        try:
            self._do(self._open(self.port))
        except OSError as error:
            raise LabError(f"port {self.port} on {HOST}: {error.strerror}") from error

    def _do(self, deed: Coroutine[None, None, None]) -> None:
        """Do something in the server's thread, and wait for it."""
        if not self._thread.is_alive():
            deed.close()
            raise LabError("the SMTP server was stopped")
        asyncio.run_coroutine_threadsafe(deed, self.loop).result(_START_S)

    async def _open(self, port: int) -> None:
        if self._server is None:
            self._server = await self.loop.create_server(self._new_protocol, HOST, port, backlog=128)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            for listening in server.sockets:
                self.loop.remove_reader(listening.fileno())
            await self._turn()  # asyncio forgets the socket of a client who is being accepted when its server closes
            server.close()

    async def _serve(self) -> None:
        try:
            await self._open(self._wanted_port)
        except OSError as error:
            self._failure = error
            self._is_listening.set()
            return
        self._is_listening.set()
        await self._stop.wait()
        await self._close()
        tasks = asyncio.all_tasks(self.loop) - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_END_S)
        await self._turn()
        for protocol in list(self._protocols):
            transport = getattr(protocol, "transport", None)
            if transport is not None:
                transport.abort()
        await self._turn()
        await self.loop.shutdown_default_executor()

    @staticmethod
    async def _turn() -> None:
        """Let the loop turn: what was called for is done, transports close."""
        for _ in range(3):
            await asyncio.sleep(0)

    def _new_protocol(self) -> asyncio.BaseProtocol:
        protocol = self._protocol(self.loop)
        self._protocols.add(protocol)
        return protocol


class SmtpServer(LoopbackServer):
    """Plays a `QmailSmtpd` for each client."""

    def __init__(self, service: Service, *, port: int = 0) -> None:
        super().__init__(lambda loop: QmailSmtpd(service, loop), port=port, name="ik-smtpd")

    def obey(self, options: str) -> None:
        """Do what ``svc`` asks of a service: -d takes no new client, -u takes them again.

        Raises:
            LabError: Another program has taken the port, or the server was stopped for good.
            ValueError: Another option.
        """
        deeds = {"-d": self.stop_listening, "-u": self.listen_again}
        if options not in deeds:
            raise ValueError(f"one of {', '.join(deeds)} for the SMTP service of a lab")
        deeds[options]()
