"""One number means different things, and what is done already is no failure."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.drivers.vpp.retvals import meaning
from renderers.vpp_messages import Operation


def said(message: str, retval: int, **arguments: Any) -> str:
    return meaning(Operation(message, arguments), retval)


def test_zero_is_success_of_anything() -> None:
    assert said("anything", 0) == ""


@pytest.mark.parametrize(
    ("message", "retval", "arguments"),
    [
        ("sr_localsid_add_del", -1, {"is_del": False}),
        ("sr_localsid_add_del", -2, {"is_del": True}),
        ("sr_policy_del", -1, {}),
        ("sr_steering_add_del", -4, {"is_del": True}),
        ("ip_route_add_del_v2", -3, {"is_add": False}),
        ("sw_interface_add_del_address", -60, {"is_add": False}),
        ("sw_interface_add_del_address", -2, {"is_add": False}),
        ("af_packet_delete", -11, {}),
    ],
)
def test_what_is_there_or_gone_already_is_done(message: str, retval: int, arguments: dict[str, Any]) -> None:
    assert said(message, retval, **arguments) == ""


def test_the_same_number_means_another_thing_elsewhere() -> None:
    words = {
        said("sr_localsid_add_del", -2, is_del=False),
        said("sr_steering_add_del", -2, is_del=False),
        said("sr_policy_mod", -1, operation=1),
        said("sr_localsid_add_del", -4, is_del=False),
        said("sr_steering_add_del", -4, is_del=False),
    }
    assert words == {
        "VPP has no such interface",
        "the policy that it shall be steered into is not there",
        "VPP has no such policy",
        "something else routes this address already, in the table where the SID shall be",
        "VPP answers sr_steering_add_del with error -4",
    }


def test_operations_on_lists_have_their_own_words() -> None:
    assert said("sr_policy_mod", -21, operation=2) == "it would lose its last segment list"
    assert said("sr_policy_mod", -22, operation=2) == said("sr_policy_mod", -32, operation=3)
    assert "error -22" in said("sr_policy_mod", -22, operation=1)
