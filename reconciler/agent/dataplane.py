"""The data planes that an agent can work for: how to open their driver, and how to see that they live.

A probe has a connection of its own, so it goes on while the driver is busy, and notices within a second or
two that a data plane has gone, or is another one than before.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from intent.kinds.project import Target
from reconciler.drivers import open_driver
from reconciler.drivers.base import Driver, TransientError
from renderers.vpp_messages import Operation

if TYPE_CHECKING:
    from reconciler.drivers.vpp.client import Client

SOCKET: Final = "/run/vpp/api.sock"
"""Where VPP listens by default."""
_ANSWER: Final = 5.0
"""Seconds in which VPP has to answer a probe."""
_NAMESPACES: Final = Path("/run/netns")
_OWN: Final = Path("/proc/self/ns/net")
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class Dataplane(Protocol):
    """One data plane. Methods raise TransientError or PermanentError."""

    @property
    def family(self) -> str:
        """Family of the objects that it takes."""
        ...

    def open(self, scope: str, run: str = "") -> Driver:
        """Return a driver; it is used by one thread, until it fails or the data plane is restarted.

        `scope` is that of the objects of the node; empty where only what is there shall go. `run` is what
        the probe returned: another run is not touched, since nothing of this one holds there.
        """
        ...

    def probe(self) -> str:
        """Return what tells this run of the data plane from all others; called by a thread of its own."""
        ...

    def close(self) -> None:
        """Let go of what the probe holds."""
        ...


class Vpp:
    """A VPP, by its API socket."""

    family = "vpp"

    def __init__(self, node: str, socket: str = SOCKET) -> None:
        """Say where it is; nothing is opened yet."""
        self.node = node.rpartition("/")[2]
        self.socket = str(Path(socket).absolute())
        self.client: Client | None = None
        self.bound = ""
        """Which file the probe connected by."""

    def open(self, scope: str, run: str = "") -> Driver:
        """Return a driver with a connection of its own."""
        from reconciler.drivers.vpp.driver import Vpp as Opened  # noqa: PLC0415 -- it is for VPP only

        return Opened("vpp", scope or f"node//{self.node}", self.socket, run=run)

    def probe(self) -> str:
        """Ask it whether it is there."""
        from reconciler.drivers.vpp.client import Client  # noqa: PLC0415 -- vpp-papi is for VPP only

        bound = _which(self.socket)
        if bound not in ("", self.bound):
            self.close()  # whoever connects now reaches another VPP, even if that one still answers
        try:
            if self.client is None:
                client = Client(self.socket, timeout=_ANSWER)
                client.connect()
                self.client, self.bound = client, bound
            else:
                self.client.send((Operation("control_ping", {}),))
        except BaseException:
            self.close()
            raise
        return self.client.instance

    def close(self) -> None:
        """Close the connection of the probe."""
        if self.client is not None:
            self.client.close()
            self.client = None


def _which(socket: str) -> str:
    """Return what tells a file from others that had its name; empty where it is not there."""
    try:
        about = Path(socket).stat()
    except OSError:
        return ""
    return f"{about.st_dev}:{about.st_ino}:{about.st_mtime_ns}"


class Linux:
    """The kernel, in a network namespace."""

    family = "linux"

    def __init__(self, node: str, netns: str | None = None) -> None:
        """Say where it is: a namespace by its name, or that of this process."""
        self.node = node.rpartition("/")[2]
        self.netns = netns

    def open(self, scope: str, run: str = "") -> Driver:
        """Return a driver; a kernel that ends takes this process with it."""
        del run
        target = Target(name="linux", type="linux", node=self.node, netns=self.netns)
        return open_driver(target, Path("/"), scope=scope)

    def probe(self) -> str:
        """Look whether the namespace is there; a new one of the same name is another one."""
        place = _NAMESPACES / self.netns if self.netns else _OWN
        try:
            about = place.stat()
            # Numbers are given again; the time tells them apart as long as the name holds the namespace.
            made = about.st_ctime_ns if self.netns else 0
            return f"{_BOOT.read_text().strip()}/{about.st_dev}:{about.st_ino}:{made}"
        except OSError as error:
            raise TransientError(f"there is no network namespace {place}: {error.strerror}") from error

    def close(self) -> None:
        """Nothing is held."""
