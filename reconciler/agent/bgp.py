"""The GoBGP beside the agent, as the agent wants it: read what this node may use, wait for other news."""

from __future__ import annotations

from reconciler.drivers.gobgp.client import Api
from reconciler.drivers.gobgp.received import ReceivedPolicy, Watch, received


class GobgpFeed:
    """One GoBGP, by `host:port` of its API."""

    def __init__(self, address: str) -> None:
        """Say where it is; the stream of changes is opened before the policies are read first."""
        self.address = address
        self.api = Api(address)
        self.watch: Watch | None = None

    def read(self) -> tuple[ReceivedPolicy, ...]:
        """Return the policies that this node may use."""
        self._watching()
        return received(self.api)

    def wait(self, seconds: float) -> bool:
        """Wait for changes."""
        return self._watching().wait(seconds)

    def close(self) -> None:
        """End a wait, and close the connections."""
        if self.watch is not None:
            self.watch.close()
        self.api.close()

    def _watching(self) -> Watch:
        """Return the watch; one whose thread has ended is made again."""
        if self.watch is None or not self.watch.alive:
            self.watch = Watch(self.address)
        return self.watch
