"""A client of VPP's binary API: many requests under way at once, every answer read, no wait without an end.

VPP itself says how its messages are laid out. After a TransientError the connection is closed, and what was
under way may have been done or not: connect again, look at `instance`, and observe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from reconciler.drivers.base import PermanentError, TransientError
from reconciler.drivers.vpp.session import Reply, Session
from reconciler.drivers.vpp.wire import Wire
from renderers.vpp_messages import Operation

__all__ = ["NEEDED", "Client", "Reply"]

NEEDED: Final[Mapping[str, str]] = {
    "cli_inband": "f8377302",
    "cli_inband_reply": "05879051",
    "control_ping": "51077d14",
    "control_ping_reply": "f6b0b8ca",
    "ip_address_details": "ee29b797",
    "ip_address_dump": "2d033de4",
    "ip_route_add_del": "b8ecfe0d",
    "ip_route_add_del_reply": "1992deab",
    "ip_route_details": "bda8f315",
    "ip_route_dump": "b9d2e09e",
    "ip_table_add_del": "0ffdaec0",
    "ip_table_add_del_reply": "e8d4e804",
    "ip_table_details": "c79fca0f",
    "ip_table_dump": "51077d14",
    "sr_localsid_add_del": "5a36c324",
    "sr_localsid_add_del_reply": "e8d4e804",
    "sr_localsids_details": "2e9221b9",
    "sr_localsids_dump": "51077d14",
    "sr_policies_v2_details": "96dcb699",
    "sr_policies_v2_dump": "51077d14",
    "sr_policy_add": "44ac92e8",
    "sr_policy_add_reply": "e8d4e804",
    "sr_policy_del": "cb4d48d5",
    "sr_policy_del_reply": "e8d4e804",
    "sr_policy_mod": "b97bb56e",
    "sr_policy_mod_reply": "e8d4e804",
    "sr_set_encap_hop_limit": "aa75d7d0",
    "sr_set_encap_hop_limit_reply": "e8d4e804",
    "sr_set_encap_source": "d3bad5e1",
    "sr_set_encap_source_reply": "e8d4e804",
    "sr_steering_add_del": "e46b0a0f",
    "sr_steering_add_del_reply": "e8d4e804",
    "sr_steering_pol_details": "d41258c9",
    "sr_steering_pol_dump": "51077d14",
    "sw_interface_details": "6c221fc7",
    "sw_interface_dump": "aa610c27",
}
"""Messages without which nothing can be done, and their CRCs, which VPP does not change once one is final.

Whoever wants another message asks `knows`; sr_policies_with_sl_index_dump is still allowed to change.
"""


def _pass(_: Operation) -> None:
    """Object to nothing."""


class Client:
    """One connection to one VPP, for one thread at a time."""

    def __init__(
        self,
        socket: str,
        check: Callable[[Operation], None] = _pass,
        timeout: float = 10.0,
        window: int = 512,
    ) -> None:
        """Open nothing yet; `check` raises for what must not be sent.

        `timeout` is for how many seconds VPP may be silent, `window` how many requests may be under way.
        """
        self.instance = ""
        """Which run of VPP this is: differs once VPP was restarted."""
        self._path = socket
        self._check = check
        self._timeout = timeout
        self._window = window
        self._session: Session | None = None

    def connect(self) -> None:
        """Connect (anew), and make sure that this VPP is understood.

        TransientError: nobody answers. PermanentError: messages are missing, or are not those known here.
        """
        self.close()
        wire = Wire(self._path, self._timeout)
        try:
            session = Session(wire)
            _check_needed(session)
            pid = session.ask("control_ping", {}).fields["vpe_pid"]
        except BaseException:
            wire.close()
            raise
        self.instance = f"{pid}-{wire.started()}"
        self._session = session

    def close(self) -> None:
        """Hang up; a closed client can be connected again."""
        if self._session:
            self._session.leave()
            self._session.wire.close()
        self._session = None

    def send(self, operations: Iterable[Operation], *, shown: bool = False) -> list[Reply]:
        """Send requests and return VPP's answers in the same order.

        Each is shown to `check` before it is packed; `shown`: these very ones were, and nothing it judges by
        has changed. What the check raises (or packing: PermanentError) is raised
        here once what was sent before is answered; nothing more is sent. TransientError: VPP is gone.
        """
        with self._open() as session:
            return session.send(operations, None if shown else self._check, self._window)

    def dump(self, message: str, **arguments: Any) -> list[dict[str, Any]]:
        """Return all rows of a dump: addresses and prefixes as text, enums as ints, arrays as tuples."""
        with self._open() as session:
            return session.dump(message, arguments)

    def cli(self, command: str) -> str:
        """Run a command of VPP's command line and return what it says; PermanentError where VPP says no."""
        with self._open() as session:
            reply = session.ask("cli_inband", {"cmd": command})
        said = str(reply.fields["reply"])
        if reply.retval:
            raise PermanentError(f"VPP says no to `{command}`: {said.strip() or reply.retval}")
        return said

    def knows(self, message: str) -> bool:
        """Whether this VPP has a message."""
        with self._open() as session:
            return session.knows(message)

    @contextmanager
    def _open(self) -> Iterator[Session]:
        """Give the session; where it breaks off in the middle, it is closed."""
        session = self._session
        if session is None:
            raise TransientError(f"not connected to VPP at {self._path}")
        try:
            yield session
        finally:
            if not session.quiet:
                self.close()


def _check_needed(session: Session) -> None:
    """Raise PermanentError where messages are missing, or have another layout than that known here."""
    missing = [name for name in NEEDED if name not in session.table]
    other = [name for name, crc in NEEDED.items() if name in session.table and session.table[name].crc != crc]
    if not missing and not other:
        return
    words = [f"does not have {', '.join(missing)}"] if missing else []
    if other:
        words.append(f"lays out otherwise {', '.join(f'{name}_{session.table[name].crc}' for name in other)}")
    raise PermanentError(f"this VPP {' and '.join(words)}; it cannot be used with this intentc")
