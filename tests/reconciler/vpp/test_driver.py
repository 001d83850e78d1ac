"""What the driver asks and tells a VPP, and what it makes of the answers; the VPP here is a script."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.drivers.base import Batch, Lease, Outcome, PermanentError, TransientError
from reconciler.drivers.vpp import driver as module
from reconciler.drivers.vpp import guard, writing
from reconciler.drivers.vpp.client import Reply
from reconciler.drivers.vpp.driver import Vpp
from reconciler.drivers.vpp.dumps import Seen
from reconciler.drivers.vpp.model import Model
from reconciler.plan import Action
from renderers.resource import Key, Resource
from renderers.rules import Impact
from renderers.vpp_messages import Operation
from tests.reconciler.vpp.held import SOURCE, SR, a_path, a_policy, a_route, a_steering, seen

SCOPE = "node/edge/w1"
QUESTIONS = ("sw_interface_get_table", "ip_route_lookup_v2", "cli_inband")


class Script:
    """A VPP that shows what it is told to show, and answers what it is told to answer."""

    def __init__(self, holds: Seen) -> None:
        self.holds = holds
        self.instance = "1-1"
        self.sent: list[Operation] = []
        self.shown: list[str] = []
        """Messages that the guard saw as they left."""
        self.asked: list[str] = []
        self.connected = 0
        self.answers: Callable[[Operation], Reply | None] = lambda _: None
        self.dies: list[str] = []
        """Dumps and messages at which the connection breaks, once each."""
        self.lists: list[dict[str, Any]] = []
        self.missing: frozenset[str] = frozenset()
        self.check: Callable[[Operation], None] = lambda _: None

    def client(self, _socket: str, check: Callable[[Operation], None], _timeout: float) -> Script:
        self.check = check
        return self

    def connect(self) -> None:
        self.connected += 1

    def close(self) -> None:
        """Nothing to close."""

    def knows(self, message: str) -> bool:
        return message not in self.missing

    def send(self, operations: Iterable[Operation], *, shown: bool = False) -> list[Reply]:
        replies = []
        for operation in operations:
            if not shown:
                self.check(operation)
                if operation.message not in QUESTIONS:
                    self.shown.append(operation.message)
            self._live(operation.message)
            replies.append(self.answers(operation) or self._answer(operation))
        return replies

    def _answer(self, operation: Operation) -> Reply:
        arguments, fields = operation.arguments, {}
        if operation.message == "sw_interface_get_table":
            family = "ipv6" if arguments["is_ipv6"] else "ipv4"
            one = next(one for one in self.holds.interfaces.values() if one.index == arguments["sw_if_index"])
            return Reply(0, {"vrf_id": one.tables.get(family, 0)})
        if operation.message == "ip_route_lookup_v2":
            return Reply(-6)
        if operation.message == "cli_inband":
            return Reply(0, {"reply": ""})
        self.sent.append(operation)
        if operation.message == "fib_source_add":
            fields = {"id": SOURCE}
        if operation.message == "af_packet_create_v3":
            fields = {"sw_if_index": 40}
        return Reply(0, fields)

    def _routes(self, source: int) -> Iterable[tuple[tuple[int, str], Mapping[str, Any]]]:
        return {SOURCE: self.holds.routes, SR: self.holds.ways or {}}.get(source, {}).items()

    def _live(self, what: str) -> None:
        self.asked.append(what)
        if what in self.dies:
            self.dies.remove(what)
            raise TransientError("VPP is gone")

    def cli(self, command: str) -> str:
        address, hop_limit = self.holds.encap
        return (
            f"SR encaps source addr = {address}\n"
            if "addr" in command
            else f"SR encaps hop-limit = {hop_limit}\n"
        )

    def dump(self, message: str, **said: Any) -> list[dict[str, Any]]:
        self._live(message)
        holds = self.holds
        match message:
            case "fib_source_dump":
                return [{"src": {"id": number, "name": name}} for number, name in holds.sources.items()]
            case "ip_table_dump":
                rows = [*holds.tables.items(), ((0xFFFFFFFF, True), "SR"), ((0xFFFFFFFF, True), "")]
                return [{"table": {"table_id": at, "is_ip6": six, "name": name}} for (at, six), name in rows]
            case "sw_interface_dump":
                return [
                    {
                        "sw_if_index": one.index,
                        "interface_name": name,
                        "tag": one.tag,
                        "flags": 3 if one.up else 0,
                    }
                    for name, one in holds.interfaces.items()
                ]
            case "ip_address_dump":
                return [
                    {"prefix": prefix}
                    for one in holds.interfaces.values()
                    for prefix in one.addresses
                    if one.index == said["sw_if_index"] and (":" in prefix) is said["is_ipv6"]
                ]
            case "ip_route_v2_dump":
                table = said["table"]
                assert table["table_id"] != 0xFFFFFFFF
                return [
                    {"route": row}
                    for (number, prefix), row in self._routes(said["src"])
                    if (number, ":" in prefix) == (table["table_id"], table["is_ip6"])
                ]
            case "sr_policies_with_sl_index_dump":
                return self.lists
        large: dict[str, Mapping[Any, Mapping[str, Any]]] = {
            "sr_localsids_dump": holds.localsids,
            "sr_policies_v2_dump": holds.policies,
            "sr_steering_pol_dump": holds.steering,
        }
        return list(map(dict, large[message].values()))


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    found = Script(seen())
    monkeypatch.setattr(module, "Client", found.client)
    return found


@pytest.fixture
def vpp(script: Script, tmp_path: Path) -> Vpp:
    del script
    return Vpp("edge-w1", SCOPE, str(tmp_path / "api.sock"))


def thing(kind: str, name: str, /, **spec: Any) -> Resource:
    return Resource(Key("vpp", SCOPE, kind, name), spec)


def policy(bsid: str, *sids: str) -> Resource:
    lists = [{"weight": 1, "sids": list(sids or ("fcdd:2::4",))}]
    return thing("policy", bsid, bsid=bsid, encap=True, type="default", fib_table=0, lists=lists)


def steering(prefix: str, bsid: str) -> Resource:
    return thing("steering", f"5 {prefix}", table=5, family="ipv4", prefix=prefix, bsid=bsid)


def action(before: Resource | None, after: Resource | None) -> Action:
    operation: Any = "create" if before is None else "delete" if after is None else "update"
    return Action("edge-w1", operation, 0, before, after, "", Impact("hitless", ""))


def commit(vpp: Vpp, *pairs: tuple[Resource | None, Resource | None]) -> Mapping[str, Outcome]:
    batch = vpp.stage([action(*pair) for pair in pairs])
    return {outcome.action.key.name: outcome for outcome in vpp.commit(batch)}


def refusal(vpp: Vpp, *pairs: tuple[Resource | None, Resource | None]) -> dict[str, str]:
    with pytest.raises(PermanentError) as raised:
        vpp.stage([action(*pair) for pair in pairs])
    return {key.name: why for key, why in raised.value.refused.items()}


def names(script: Script) -> list[str]:
    return [operation.message for operation in script.sent]


def test_observing_changes_nothing_and_asks_for_nothing_of_vpps_own(vpp: Vpp, script: Script) -> None:
    found = vpp.observe()
    assert found.complete
    assert not found.keeps_protection
    assert len(found.resources) == 14
    assert script.sent == []


def test_a_vpp_that_lacks_messages_is_refused_by_name(vpp: Vpp, script: Script) -> None:
    script.missing = frozenset({"fib_source_add", "ip_route_v2_dump"})
    with pytest.raises(PermanentError, match="too old: it does not have fib_source_add, ip_route_v2_dump"):
        vpp.observe()


def test_an_answer_that_cannot_be_read_is_an_error(
    vpp: Vpp, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "cli", lambda _: "unknown input `sr encaps'")
    with pytest.raises(PermanentError, match="cannot be read"):
        vpp.observe()


def test_a_connection_that_went_stale_is_made_anew_once(vpp: Vpp, script: Script) -> None:
    vpp.observe()
    script.dies = ["ip_table_dump"]
    assert vpp.observe().complete
    assert script.connected == 2
    script.dies = ["ip_table_dump", "fib_source_dump"]
    with pytest.raises(TransientError):
        vpp.observe()


def test_a_new_connection_that_breaks_is_not_tried_again(vpp: Vpp, script: Script) -> None:
    script.dies = ["ip_table_dump"]
    with pytest.raises(TransientError):
        vpp.observe()
    assert script.connected == 1


def test_after_a_restart_there_is_nothing_and_what_was_staged_is_not_sent(vpp: Vpp, script: Script) -> None:
    batch = vpp.stage([action(None, policy("cafe:1::9"))])
    script.instance = "2-2"
    script.holds = Seen(tables={(0, False): "", (0, True): ""})
    with pytest.raises(TransientError, match="restarted"):
        vpp.commit(batch)
    assert script.sent == []
    assert vpp.observe().resources == {}


def test_what_is_staged_is_read_from_one_run_of_vpp(vpp: Vpp, script: Script) -> None:
    """Numbers of interfaces and of our FIB source mean something else, or nothing, in the next run."""
    link = thing(
        "route", "5 10.9.0.0/16", table=5, prefix="10.9.0.0/16", next_hop="10.0.0.1", interface="eth0"
    )
    vpp.observe()

    def restarted(operation: Operation) -> Reply | None:
        if operation.message != "ip_route_lookup_v2" or script.instance == "2-2":
            return None
        script.instance = "2-2"
        script.holds = seen(sources={8: "API", 31: "intentc"}, routes=[])
        raise TransientError("VPP is gone")

    script.answers = restarted
    vpp.commit(vpp.stage([action(None, link)]))
    (route,) = script.sent
    assert route.arguments["route"]["src"] == 31


def test_after_a_no_everything_is_read_once_more_and_not_again(vpp: Vpp, script: Script) -> None:
    def answers(one: Operation) -> Reply | None:
        return Reply(-12) if one.arguments.get("bsid_addr") == "cafe:1::8" else None

    script.answers = answers
    ways = [
        thing("route", f"5 10.9.{at}.0/24", table=5, prefix=f"10.9.{at}.0/24", drop=True) for at in range(4)
    ]
    rows = [a_route(5, one.spec["prefix"]) for one in ways]
    script.holds = seen(routes=[*seen().routes.values(), *rows])
    instead = [(None, steering(one.spec["prefix"], "cafe:1::1")) for one in ways]
    batch = vpp.stage([action(*pair) for pair in [(None, policy("cafe:1::8")), *instead]])
    script.asked.clear()
    vpp.commit(batch)
    assert script.asked.count("sr_steering_pol_dump") == 1


def test_what_dies_in_the_middle_is_told_and_can_be_done_again(vpp: Vpp, script: Script) -> None:
    batch = vpp.stage(
        [action(None, policy("cafe:1::9")), action(None, steering("10.64.9.0/24", "cafe:1::9"))]
    )
    script.dies = ["sr_steering_add_del"]
    with pytest.raises(TransientError):
        vpp.commit(batch)
    assert names(script) == ["sr_policy_add"]
    assert {one.status for one in commit(vpp, (None, policy("cafe:1::9"))).values()} == {"done"}
    assert script.connected == 2


def test_what_stands_is_not_written_again(vpp: Vpp, script: Script) -> None:
    outcomes = commit(vpp, (None, policy("cafe:1::1")), (policy("beef::9"), None))
    assert {one.status for one in outcomes.values()} == {"done"}
    assert script.sent == []
    assert "sr_policies_with_sl_index_dump" not in script.asked


def test_protection_is_no_difference(vpp: Vpp, script: Script) -> None:
    outcomes = commit(vpp, (None, replace(policy("cafe:1::1"), protected=True)))
    assert {one.status for one in outcomes.values()} == {"done"}
    assert script.sent == []


def test_what_moved_is_foreign_or_cannot_be_said_is_refused_by_name(vpp: Vpp, script: Script) -> None:
    why = refusal(
        vpp,
        (None, policy("cafe:1::1", "fcdd:9::4")),
        (None, policy("beef::1")),
        (None, policy("cafe:1::9")),
        (None, thing("table", "7 ipv4", id=7, family="ipv4", name="intentc/zone")),
        (
            None,
            thing("route", "0 fc77::/48", table=0, prefix="fc77::/48", next_hop="fd11::1", interface="eth9"),
        ),
        (None, thing("vrf", "7", table=7)),
        (None, Resource(Key("vpp", "node/edge/w2", "policy", "cafe:1::8"), policy("cafe:1::8").spec)),
    )
    assert why.keys() == {"cafe:1::1", "beef::1", "7 ipv4", "0 fc77::/48", "7", "cafe:1::8"}
    assert "moved since the plan was made" in why["cafe:1::1"]
    assert "exists and is not ours" in why["beef::1"]
    assert "exists and is not ours" in why["7 ipv4"]
    assert why["0 fc77::/48"].startswith("there is no interface eth9: make it in VPP, or correct")
    assert "no object of this VPP" in why["7"]
    assert script.sent == []


def test_harm_is_seen_before_anything_is_sent(vpp: Vpp, script: Script) -> None:
    why = refusal(
        vpp,
        (policy("cafe:1::1"), None),
        (None, policy("cafe:1::9", *["fcdd:2::4"] * 16)),
        (None, thing("localsid", "fcdd:1::9", sid="fcdd:1::9", behavior="End.DT4", table=6, fib_table=0)),
    )
    assert why.keys() == {"cafe:1::1", "fcdd:1::9"}
    assert "10.64.1.0/24 of table 5 is steered into it" in why["cafe:1::1"]
    assert script.sent == []


def test_the_guard_has_the_last_word_and_names_the_object(vpp: Vpp, script: Script) -> None:
    batch = vpp.stage([action(*pair) for pair in MOVED])
    # The table goes between staging and commit: what would end VPP is not sent.
    script.holds = seen(tables={(0, True): "", (5, True): "intentc/pods"})
    with pytest.raises(PermanentError, match="there is no IPv4 table 5") as raised:
        vpp.commit(batch)
    assert [key.name for key in raised.value.refused] == ["5 10.64.1.0/24"]
    assert names(script) == ["sr_policy_add"]


MOVED = (
    (None, policy("cafe:1::9")),
    (steering("10.64.1.0/24", "cafe:1::1"), steering("10.64.1.0/24", "cafe:1::9")),
)
NEW = ((None, policy("cafe:1::9")), (None, steering("10.64.9.0/24", "cafe:1::9")))


def test_what_was_rehearsed_is_sent_as_it_was_where_nothing_has_changed(vpp: Vpp, script: Script) -> None:
    commit(vpp, *MOVED)
    assert names(script) == ["sr_policy_add", "sr_steering_add_del"]
    assert not script.shown


def test_where_tables_have_changed_since_every_message_is_checked_as_it_leaves(
    vpp: Vpp, script: Script
) -> None:
    batch = vpp.stage([action(*pair) for pair in MOVED])
    script.holds = seen(tables={**script.holds.tables, (77, False): "another one"})
    vpp.commit(batch)
    assert script.shown == names(script) == ["sr_policy_add", "sr_steering_add_del"]


def test_what_is_only_new_is_shown_to_the_guard_as_it_leaves(
    vpp: Vpp, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_so_far: list[tuple[str, list[str]]] = []

    def check(model: Model, operation: Operation) -> None:
        seen_so_far.append((operation.message, names(script)))
        guard.check(model, operation)

    monkeypatch.setattr(writing, "check", check)
    batch = vpp.stage([action(*pair) for pair in reversed(NEW)])
    assert not seen_so_far, "nothing stands that a no halfway could harm, so nothing is rehearsed"
    vpp.commit(batch)
    assert seen_so_far == [("sr_policy_add", []), ("sr_steering_add_del", ["sr_policy_add"])]


def test_what_is_new_and_harmful_is_left_out_by_name_and_the_rest_is_made(vpp: Vpp, script: Script) -> None:
    two_lists = policy("cafe:1::a")
    two_lists.spec["lists"].append({"weight": 1, "sids": ["FCDD::1"]})
    lonely = thing("localsid", "fcdd:1::9", sid="fcdd:1::9", behavior="End.DT4", table=6, fib_table=0)
    batch = [policy("cafe:1::8", *["fcdd:2::4"] * 17), two_lists, policy("beef:9::1"), lonely]
    outcomes = commit(vpp, *[(None, one) for one in batch], *NEW)
    words = {name: one.message for name, one in outcomes.items() if one.status == "failed"}
    assert words.keys() == {"cafe:1::8", "cafe:1::a", "beef:9::1", "fcdd:1::9"}
    assert "a segment list holds 1 to 16 SIDs, this one 17" in words["cafe:1::8"]
    assert "write fcdd::1, not FCDD::1" in words["cafe:1::a"]
    assert "no discard route of ours covers it" in words["beef:9::1"]
    assert "there is no IPv4 table 6" in words["fcdd:1::9"]
    assert names(script) == ["sr_policy_add", "sr_steering_add_del"], "half an object never leaves"


def test_what_is_new_is_judged_by_the_tables_of_the_moment(vpp: Vpp, script: Script) -> None:
    batch = vpp.stage([action(*pair) for pair in NEW])
    script.holds = seen(tables={(0, True): "", (5, True): "intentc/pods"})
    outcomes = {one.action.key.name: one for one in vpp.commit(batch)}
    assert "there is no IPv4 table 5" in outcomes["5 10.64.9.0/24"].message
    assert outcomes["cafe:1::9"].status == "done"
    assert names(script) == ["sr_policy_add"]


def test_after_something_new_was_refused_the_next_sort_is_judged_by_what_vpp_shows(
    vpp: Vpp, script: Script
) -> None:
    batch = vpp.stage([action(None, policy("cafe:1::8")), *[action(*pair) for pair in NEW]])

    def answers(one: Operation) -> Reply | None:
        if one.arguments.get("bsid_addr") != "cafe:1::8":
            return None
        rows = [*script.holds.steering.values(), a_steering(5, "10.64.9.0/24", "beef::1")]
        script.holds = seen(steering=rows, tables={(0, True): "", (5, False): "theirs now"})
        return Reply(-12)

    script.answers = answers
    outcomes = {one.action.key.name: one for one in vpp.commit(batch)}
    assert outcomes["cafe:1::8"].message.startswith("the binding SID is taken")
    assert "IPv4 table 5 is not ours" in outcomes["5 10.64.9.0/24"].message
    assert names(script) == ["sr_policy_add"]


def test_where_lists_have_changed_since_every_message_is_checked_as_it_leaves(
    vpp: Vpp, script: Script
) -> None:
    script.lists = [
        {"bsid": "cafe:1::1", "sid_lists": ({"sl_index": 4, "weight": 1, "sids": ("fcdd:2::4",)},)}
    ]
    before = policy("cafe:1::1")
    after = policy("cafe:1::1", "fcdd:2::5")
    batch = vpp.stage([action(before, after)])
    script.lists = [
        {"bsid": "cafe:1::1", "sid_lists": ({"sl_index": 6, "weight": 1, "sids": ("fcdd:2::4",)},)}
    ]
    with pytest.raises(PermanentError, match="4 is no list of it"):
        vpp.commit(batch)
    assert script.shown == names(script) == ["sr_policy_mod"], "the new list, and not the end of another one"


def test_after_a_no_every_message_is_checked_as_it_leaves(vpp: Vpp, script: Script) -> None:
    script.answers = lambda one: Reply(-12) if one.message == "sr_policy_add" else None
    outcomes = commit(vpp, *MOVED)
    assert "taken" in outcomes["cafe:1::9"].message
    assert script.shown == ["sr_steering_add_del"]


def test_what_was_staged_before_another_commit_is_checked_as_it_leaves(vpp: Vpp, script: Script) -> None:
    batch = vpp.stage([action(*pair) for pair in MOVED])
    vpp.commit(batch)
    assert not script.shown
    vpp.commit(batch)
    assert script.shown == ["sr_policy_add", "sr_steering_add_del"]


def test_up_and_down_in_one_batch_go_in_a_safe_order(vpp: Vpp, script: Script) -> None:
    old = [policy("cafe:1::1"), steering("10.64.1.0/24", "cafe:1::1")]
    new = [
        steering("10.9.0.0/24", "cafe:1::9"),
        policy("cafe:1::9"),
        thing("localsid", "fcdd:1::9", sid="fcdd:1::9", behavior="End.DT4", table=9, fib_table=0),
        thing("table", "9 ipv4", id=9, family="ipv4", name="intentc/zone"),
    ]
    new[0] = thing(
        "steering", "9 10.9.0.0/24", table=9, family="ipv4", prefix="10.9.0.0/24", bsid="cafe:1::9"
    )
    outcomes = commit(vpp, *((None, one) for one in new), *((one, None) for one in old))
    assert {one.status for one in outcomes.values()} == {"done"}
    assert names(script) == [
        "ip_table_add_del",
        "sr_localsid_add_del",
        "sr_policy_add",
        "sr_steering_add_del",
        "sr_steering_add_del",
        "sr_policy_del",
    ]


def test_each_object_has_its_own_outcome(vpp: Vpp, script: Script) -> None:
    script.answers = lambda one: Reply(-12) if one.arguments.get("bsid_addr") == "cafe:1::8" else None
    outcomes = commit(vpp, (None, policy("cafe:1::8")), (None, policy("cafe:1::9")))
    assert (outcomes["cafe:1::8"].status, outcomes["cafe:1::9"].status) == ("failed", "done")
    assert outcomes["cafe:1::8"].message.startswith("the binding SID is taken")


def test_after_a_no_nothing_is_sent_that_rested_on_a_yes(vpp: Vpp, script: Script) -> None:
    # The prefix stays in the old policy, so that must not go.
    def answers(one: Operation) -> Reply | None:
        return Reply(-2) if one.message == "sr_steering_add_del" else None

    script.answers = answers
    before, after = steering("10.64.1.0/24", "cafe:1::1"), steering("10.64.1.0/24", "cafe:1::2")
    outcomes = commit(vpp, (before, after), (policy("cafe:1::1"), None))
    assert outcomes["5 10.64.1.0/24"].message == "the policy that it shall be steered into is not there"
    assert "is steered into it" in outcomes["cafe:1::1"].message
    assert "sr_policy_del" not in names(script)


def test_a_new_interface_is_taken_first_and_then_set_up(vpp: Vpp, script: Script) -> None:
    link = thing("interface", "host-vp-blue", host="vp-blue", tables={"ipv4": 5}, up=True)
    address = thing("address", "host-vp-blue 10.9.0.1/24", interface="host-vp-blue", prefix="10.9.0.1/24")
    assert {one.status for one in commit(vpp, (None, address), (None, link)).values()} == {"done"}
    assert names(script) == [
        "af_packet_create_v3",
        "sw_interface_tag_add_del",
        "sw_interface_set_table",
        "sw_interface_set_table",
        "sw_interface_set_flags",
        "sw_interface_add_del_address",
    ]
    assert {one.arguments["sw_if_index"] for one in script.sent[1:]} == {40}


def test_of_routes_with_the_same_path_one_is_asked_whether_its_interface_was_deleted(
    vpp: Vpp, script: Script
) -> None:
    asked: list[str] = []

    def says(one: Operation) -> Reply | None:
        if one.message != "cli_inband":
            return None
        asked.append(one.arguments["cmd"])
        return Reply(0, {"reply": DEAD if "10.64.0.0/24" in asked[-1] else ALIVE})

    script.answers = says
    more = a_route(5, "10.9.0.0/16", a_path(sw_if_index=2, ip4="169.254.69.3", proto=0))
    script.holds = seen(routes=[*script.holds.routes.values(), more])
    found = {key.name: one.spec for key, one in vpp.observe().resources.items() if key.type == "route"}
    assert asked == ["show ip6 fib table 0 fcdd::/48", "show ip fib table 5 10.64.0.0/24"]
    for name in ("5 10.64.0.0/24", "5 10.9.0.0/16"):
        assert (found[name]["interface"], found[name]["weight"]) == ("interface 2", 1)
    assert found["0 fcdd::/48"]["interface"] == "eth0"


DEAD = """intentc/pods, fib_index:1, flow hash:[src dst sport dport proto flowlabel ] epoch:0 flags:none
10.64.0.0/24 fib:1 index:12 locks:2
  CLI refs:1 src-flags:added,contributing,active,
    path-list:[50] locks:2 flags:shared, uPRF-list:36 len:0 itfs:[]
      path:[50] pl-index:50 ip4 weight=1 pref=0 special:  cfg-flags:drop,
        [@0]: dpo-drop ip4

  intentc refs:1 src-flags:added,
    path-list:[14] locks:6 flags:shared, uPRF-list:7 len:1 itfs:[1, ]
      path:[20] pl-index:14 ip4 weight=1 pref=0 attached-nexthop:  oper-flags:drop,
        169.254.69.3 if_index:2
        unresolved

 forwarding:   unicast-ip4-chain
  [@0]: dpo-load-balance: [proto:ip4 index:13 buckets:1 uRPF:7 to:[0:0]]
    [0] [@0]: dpo-drop ip4
"""
ALIVE = """ipv6-VRF:0, fib_index:0, flow hash:[src dst sport dport proto flowlabel ] epoch:0 flags:none
fcdd::/48 fib:0 index:12 locks:2
  intentc refs:1 src-flags:added,contributing,active,
    path-list:[14] locks:6 flags:shared, uPRF-list:11 len:1 itfs:[1, ]
      path:[20] pl-index:14 ip6 weight=1 pref=0 attached-nexthop:
        fd11::ffff eth0
      [@0]: arp-ipv6: via fd11::ffff eth0

  API refs:1 src-flags:added,
    path-list:[15] locks:6 flags:shared, uPRF-list:7 len:1 itfs:[1, ]
      path:[21] pl-index:15 ip6 weight=1 pref=0 attached-nexthop:  oper-flags:drop,
        fd11::eeee if_index:9
        unresolved

 forwarding:   unicast-ip6-chain
  [@0]: dpo-load-balance: [proto:ip6 index:13 buckets:1 uRPF:11 to:[0:0]]
    [0] [@0]: dpo-drop ip6
"""


def test_an_interface_that_the_host_does_not_have_fails_with_all_on_it(vpp: Vpp, script: Script) -> None:
    script.answers = lambda one: Reply(-71) if one.message == "af_packet_create_v3" else None
    link = thing("interface", "host-vp-blue", host="vp-blue", tables={"ipv4": 5}, up=True)
    address = thing("address", "host-vp-blue 10.9.0.1/24", interface="host-vp-blue", prefix="10.9.0.1/24")
    outcomes = commit(vpp, (None, link), (None, address), (None, policy("cafe:1::9")))
    assert [one.status for one in outcomes.values()] == ["failed", "failed", "done"]
    assert "the host has no such interface" in outcomes["host-vp-blue"].message
    assert "interface host-vp-blue is not there" in outcomes["host-vp-blue 10.9.0.1/24"].message
    assert names(script) == ["sr_policy_add"]


def test_the_first_write_adds_our_source(vpp: Vpp, script: Script) -> None:
    script.holds = seen(sources={8: "API"}, routes=[])
    drop = thing("route", "0 cafe:1::/112", table=0, prefix="cafe:1::/112", drop=True)
    commit(vpp, (None, drop))
    source, route = script.sent
    assert source.arguments["src"]["name"] == "intentc"
    assert (route.message, route.arguments["route"]["src"]) == ("ip_route_add_del_v2", SOURCE)


def test_a_route_of_others_is_in_the_way(vpp: Vpp, script: Script) -> None:
    def answers(one: Operation) -> Reply | None:
        return Reply(0, {"route": {"src": 8}}) if one.message == "ip_route_lookup_v2" else None

    script.answers = answers
    drop = thing("route", "0 fc77::/48", table=0, prefix="fc77::/48", drop=True)
    assert "is not ours: it is of API" in refusal(vpp, (None, drop))["0 fc77::/48"]


def test_lists_are_changed_by_the_index_that_was_just_read(vpp: Vpp, script: Script) -> None:
    row = {"num_sids": 1, "weight": 1, "sl_index": 17, "sids": ("fcdd:2::4",)}
    script.lists = [{"bsid": "cafe:1::1", "sid_lists": (row,)}]
    commit(vpp, (policy("cafe:1::1"), policy("cafe:1::1", "fcbb:1::1", "fcdd:2::4")))
    assert [(one.message, one.arguments["operation"], one.arguments["sl_index"]) for one in script.sent] == [
        ("sr_policy_mod", 1, 0xFFFFFFFF),
        ("sr_policy_mod", 2, 17),
    ]


def test_a_new_source_renews_the_lists_of_our_policies_only(vpp: Vpp, script: Script) -> None:
    script.lists = [
        {"bsid": bsid, "sid_lists": ({"num_sids": 1, "weight": 1, "sl_index": at, "sids": ("fcdd:2::4",)},)}
        for at, bsid in enumerate(("cafe:1::1", "cafe:1::2", "beef::1"))
    ]
    before, after = (thing("encap", "source", address=f"fd11::{at}", hop_limit=64) for at in (1, 7))
    commit(vpp, (before, after))
    touched = [one.arguments["bsid_addr"] for one in script.sent if one.message == "sr_policy_mod"]
    assert touched == ["cafe:1::1", "cafe:1::1", "cafe:1::2", "cafe:1::2"]


def test_only_what_a_batch_needs_is_read(vpp: Vpp, script: Script) -> None:
    def large(batch: Batch) -> list[str]:
        script.asked.clear()
        vpp.verify(batch)
        return [
            message for message in script.asked if message in ("sr_policies_v2_dump", "sr_steering_pol_dump")
        ]

    assert large(vpp.stage([action(None, policy("cafe:1::1"))])) == ["sr_policies_v2_dump"]
    assert large(vpp.stage([action(None, steering("10.64.1.0/24", "cafe:1::1"))])) == ["sr_steering_pol_dump"]
    table = thing("table", "5 ipv4", id=5, family="ipv4", name="intentc/pods")
    assert large(vpp.stage([action(None, table)])) == []


def test_verify_names_what_is_not_there(vpp: Vpp, script: Script) -> None:
    actions = [action(None, policy("cafe:1::9")), action(steering("10.64.1.0/24", "cafe:1::1"), None)]
    batch = vpp.stage(actions)
    assert vpp.verify(batch) == tuple(one.key for one in actions)
    script.holds = seen(policies=[a_policy("cafe:1::9")], steering=[a_steering(7, "10.64.1.0/24", "beef::1")])
    assert vpp.verify(batch) == ()


def test_leases_lie_beside_the_socket(vpp: Vpp, tmp_path: Path) -> None:
    assert vpp.lease() is None
    assert vpp.swap_lease(None, Lease("me", 10.0, 1))
    assert vpp.lease() == Lease("me", 10.0, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["api.sock.intentc"]
    assert not vpp.fences
