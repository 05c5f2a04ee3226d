"""Connections of the report page: how long a request may take to arrive, and how many may be open.

Belongs here: what happens before a request is whole. Does not belong here: what is answered.

The page is served by one process. Without bounds one client that never ends its header, or some
hundred that never go on with it, keep it from everybody else.
"""

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

# Browsers send some kilobytes at once.
MAX_HEADER_BYTES = 16 * 1024
REQUEST_SECONDS = 10.0
MAX_CONNECTIONS = 100


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol in Python, with a time for each request to arrive.

    When all connections are taken, the one that has waited longest for its request makes room.
    """

    # Those without a whole request, the longest waiting first.
    _waiting: ClassVar[dict["BoundedProtocol", None]] = {}
    _open: ClassVar[set["BoundedProtocol"]] = set()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection in the place of the longest waiting one, or refuse it."""
        self._deadline: asyncio.TimerHandle | None = None
        super().connection_made(transport)
        self._open.add(self)
        if len(self._open) > MAX_CONNECTIONS:
            next(iter(self._waiting), self)._give_up()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._arrived()
        self._open.discard(self)
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Stop waiting once a request is whole."""
        super().handle_events()
        if self.cycle is not None and not self.cycle.response_complete:
            self._arrived()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        if not self.transport.is_closing():
            self._wait()

    def _wait(self) -> None:
        self._arrived()
        self._waiting[self] = None
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._give_up)

    def _arrived(self) -> None:
        self._waiting.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._arrived()
        self._open.discard(self)
        # Not closed in order: who does not send may not read either.
        self.transport.abort()


def limits() -> dict[str, Any]:
    """The settings of uvicorn that go with it."""
    return {
        "http": BoundedProtocol,
        "h11_max_incomplete_event_size": MAX_HEADER_BYTES,
        "timeout_keep_alive": 5,
    }
