"""What a real VPP makes of the rendered node: exec file and API messages, each read back from VPP itself.

Runs where a `vpp` binary is found (see tests/vpps.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from compiler.graph import Scope
from renderers.resource import Resource
from renderers.vpp import cli_parts
from renderers.vpp_messages import Site
from renderers.vpp_transition import Held
from tests.support import build
from tests.vpp_rig import made, transition
from tests.vpps import MARKS, ask

pytestmark = MARKS

INTENT = (
    """kind: Underlay
metadata: {name: core}
spec:
  routers:
    - {name: p1, loopback: "fd00:0:1::1", locator: "fcbb:0:1::/48"}
    - {name: p2, loopback: "fd00:0:2::1", locator: "fcbb:0:2::/48"}
  links:
    - {name: p1-p2, ends: [{at: p1}, {at: p2}]}
""",
    """kind: Node
metadata: {name: "w{n}"}
spec:
  range: {last: 3}
  site: "dc{n}"
  labels: {cluster: edge}
  ipv6: "fd11::{n}"
  uplink: {router: p1, interface: loop0, nextHop: "fd11::ffff"}
""",
    """kind: Cluster
metadata: {name: edge}
spec:
  nodes: {matchLabels: {cluster: edge}}
  dataplane: vpp
  controlPlane: kubernetes
  podCidrs: {ipv4: 10.64.0.0/16, ipv6: "fd64::/48"}
  srv6: {localsids: "fcdd:1::/48", policies: "cafe:1::/112"}
  namespaces: [{name: apps}]
""",
    """kind: VirtualNetwork
metadata: {name: blue}
spec:
  subnets: [{cidr: 10.200.0.0/20}]
  attachments: [{type: overlay, clusters: [edge]}]
""",
    """kind: VirtualNetwork
metadata: {name: green}
spec:
  subnets: [{cidr: 10.201.0.0/20}]
  attachments: [{type: overlay, clusters: [edge]}]
""",
    """kind: VirtualNetworkRouter
metadata: {name: both}
spec:
  type: mesh
  networks: {names: [blue, green]}
""",
    """kind: SRv6Policy
metadata: {name: te}
spec:
  headends: {sites: [dc1]}
  endpoints: {sites: [dc2]}
  color: 100
  candidatePaths:
    - name: split
      explicit:
        - {weight: 3, segments: [{router: p1}, {router: p2}]}
        - {weight: 1, segments: [{router: p2}]}
""",
)


def node(*changes: tuple[str, str]) -> list[Resource]:
    """Return the resources of the node that is a headend of the TE policy, without its links to the host.

    The host has no such interfaces here; tests/real/test_vpp_pods.py makes them.
    """
    texts = list(INTENT)
    for before, after in changes:
        assert any(before in text for text in texts)
        texts = [text.replace(before, after) for text in texts]
    resources = build(*texts).resources(Scope("node", "edge/w1"))
    linked = [one for one in resources if one.key.type not in ("interface", "address")]
    return [one for one in linked if not str(one.spec.get("interface")).startswith("host-")]


def names(resources: list[Resource], kind: str) -> set[str]:
    return {resource.key.name for resource in resources if resource.key[:3:2] == ("vpp", kind)}


def found(client: Any) -> dict[str, set[str]]:
    """Read back what VPP holds, by the names that we give it."""
    steering = {f"{row.fib_table} {row.prefix}" for row in client.api.sr_steering_pol_dump()}
    return {
        "localsid": {str(row.addr) for row in client.api.sr_localsids_dump()},
        "policy": {str(row.bsid) for row in client.api.sr_policies_v2_dump()},
        "steering": steering,
    }


def expected(resources: list[Resource]) -> dict[str, set[str]]:
    return {kind: names(resources, kind) for kind in ("localsid", "policy", "steering")}


def test_the_exec_file_makes_exactly_what_was_rendered(vpp: Any, tmp_path: Path) -> None:
    resources = node()
    (text,) = [resource.spec["text"] for resource in resources if resource.key.type == "exec"]
    lines = [line for line in text.splitlines() if "host-" not in line]
    (tmp_path / "w1.exec").write_text("\n".join(lines) + "\n")
    said = ask(vpp, f"exec {tmp_path / 'w1.exec'}")
    assert said.strip() == "", "VPP says something only where a command failed"
    wanted = expected(resources)
    rows = map(str.split, wanted["steering"])
    wanted["steering"] = {f"{table} {part}" for table, prefix in rows for part in cli_parts(prefix)}
    assert found(vpp) == wanted
    tables = {row.table.table_id for row in vpp.api.ip_table_dump()}
    assert {int(name.split()[0]) for name in names(resources, "table")} <= tables
    lists = [
        sorted(item.weight for item in row.sid_lists[: row.num_sid_lists])
        for row in vpp.api.sr_policies_v2_dump()
    ]
    assert [1, 3] in lists
    assert resources_source(resources) in ask(vpp, "show sr encaps source addr")


def resources_source(resources: list[Resource]) -> str:
    return str(next(resource.spec["address"] for resource in resources if resource.key.type == "encap"))


def test_the_messages_are_all_accepted_and_make_the_same(vpp: Any) -> None:
    resources = node()
    interfaces = {row.interface_name: row.sw_if_index for row in vpp.api.sw_interface_dump()}
    for operation in made(resources, Site(interfaces)):
        reply = getattr(vpp.api, operation.message)(**operation.arguments)
        assert reply.retval == 0, (operation, reply)
    assert found(vpp) == expected(resources)
    blue = {"table_id": table_of(resources, "blue"), "is_ip6": False}
    held = {str(row.route.prefix) for row in vpp.api.ip_route_dump(table=blue)}
    assert routes(resources, blue["table_id"]) <= held, (
        "the other zone's local blocks are in this zone's table"
    )


def routes(resources: list[Resource], table: int) -> set[str]:
    found = {
        item.spec["prefix"] for item in resources if item.key.type == "route" and item.spec["table"] == table
    }
    assert found
    return found


def table_of(resources: list[Resource], network: str) -> int:
    """Return the table of the zone that a network is."""
    subject = f"VirtualNetwork/{network}/overlay/table"
    (number,) = {
        item.spec["id"] for item in resources if item.key.type == "table" and item.subject == subject
    }
    return int(number)


def test_all_goes_in_reverse_and_vpp_is_as_before(vpp: Any) -> None:
    resources = node()
    interfaces = {row.interface_name: row.sw_if_index for row in vpp.api.sw_interface_dump()}
    tables = {row.table.table_id for row in vpp.api.ip_table_dump()}
    for pairs in ([(None, item) for item in resources], [(item, None) for item in resources]):
        for operation in transition(pairs, Site(interfaces), Held()):
            reply = getattr(vpp.api, operation.message)(**operation.arguments)
            assert reply.retval == 0, (operation, reply)
    assert found(vpp) == {"localsid": set(), "policy": set(), "steering": set()}
    assert {row.table.table_id for row in vpp.api.ip_table_dump()} == tables
    assert "addr = ::" in ask(vpp, "show sr encaps source addr")
