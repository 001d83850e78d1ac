"""What a process tells systemd, where systemd started it: that it runs, that it lives, that it ends."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress

Notify = Callable[[str], None]
"""Takes an assignment of sd_notify(3), such as READY=1."""


def notifier(environment: Mapping[str, str]) -> Notify:
    """Return what tells systemd; where it did not ask for it, or does not listen, nothing happens."""
    place = environment.get("NOTIFY_SOCKET", "")
    if not place:
        return lambda _: None
    address = f"\0{place[1:]}" if place.startswith("@") else place

    def notify(words: str) -> None:
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
        ):
            sender.setblocking(False)  # who does not listen keeps nobody waiting
            sender.sendto(words.encode(), address)

    return notify
