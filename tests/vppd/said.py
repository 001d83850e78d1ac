"""Addresses and prefixes as messages say them, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.vppd.fib import Prefix

Request = Mapping[str, Any]
Fields = dict[str, Any]


def read_address(said: Request) -> bytes:
    """Return four or sixteen bytes."""
    return bytes(said["un"][:16] if said["af"] else said["un"][:4])


def read_prefix(said: Request) -> tuple[int, Prefix]:
    """Return IP version and prefix, host bits included."""
    return (6 if said["address"]["af"] else 4), Prefix(read_address(said["address"]), said["len"])


def write_address(address: bytes) -> Fields:
    """Return an address as a message has it."""
    return {"af": int(len(address) == 16), "un": address}


def write_prefix(prefix: Prefix) -> Fields:
    """Return a prefix as a message has it."""
    return {"address": write_address(prefix.address), "len": prefix.length}


def guessed(address: bytes) -> bytes:
    """Return an address as VPP writes those whose family it does not know: IPv4 where it may be that."""
    return address[12:] if len(address) == 16 and not any(address[:12]) else address
