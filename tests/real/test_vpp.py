"""What a real VPP makes of the rendered node: exec file and API messages, each read back from VPP itself.

Runs where a `vpp` binary is found (INTENTC_VPP names one, INTENTC_VPP_PLUGINS its plugin folder).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compiler.graph import Scope
from renderers.resource import Resource
from renderers.vpp import cli_parts
from renderers.vpp_messages import operations
from tests.support import build

BINARY = os.environ.get("INTENTC_VPP") or shutil.which("vpp")
PLUGINS = os.environ.get("INTENTC_VPP_PLUGINS")

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(BINARY is None, reason="no VPP here: install vpp, or name its binary in INTENTC_VPP"),
    pytest.mark.skipif(os.geteuid() != 0, reason="VPP needs root"),
    pytest.mark.filterwarnings("ignore:open_text is deprecated:DeprecationWarning"),  # inside vpp-papi
]

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


@pytest.fixture
def vpp(tmp_path: Path) -> Iterator[Any]:
    """Start a VPP without hugepages and with one interface; return a client of its binary API."""
    from vpp_papi import VPPApiClient  # noqa: PLC0415 -- only where there is a VPP

    assert BINARY
    plugins = f"path {PLUGINS}" if PLUGINS else ""
    (tmp_path / "startup.conf").write_text(f"""
unix {{ nodaemon cli-listen {tmp_path}/cli.sock runtime-dir {tmp_path} poll-sleep-usec 100 }}
socksvr {{ socket-name {tmp_path}/api.sock }}
api-segment {{ prefix {tmp_path.name} }}
memory {{ main-heap-size 512M main-heap-page-size 4k }}
buffers {{ page-size 4k buffers-per-numa 4096 }}
statseg {{ size 32M page-size 4k socket-name {tmp_path}/stats.sock }}
plugins {{ {plugins} plugin default {{ disable }} }}
""")
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen([BINARY, "-c", str(tmp_path / "startup.conf")], stdout=log, stderr=log)
    try:
        for _ in range(200):
            if (tmp_path / "api.sock").exists():
                break
            assert process.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.1)
        client = VPPApiClient(server_address=str(tmp_path / "api.sock"), bootstrapapi=True)
        client.connect("intentc-test")
        for command in (
            "create loopback interface",
            "set interface state loop0 up",
            "set interface ip address loop0 fd11::1/64",
        ):
            ask(client, command)
        yield client
        client.disconnect()
        assert process.poll() is None, "VPP did not survive"
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def ask(client: Any, command: str) -> str:
    """Run one CLI command and return what it says; VPP refusing it fails the test."""
    reply = client.api.cli_inband(cmd=command)
    assert reply.retval == 0, f"{command}: {reply.reply}"
    return str(reply.reply)


def node() -> list[Resource]:
    """Return the resources of the node that is a headend of the TE policy."""
    return build(*INTENT).resources(Scope("node", "edge/w1"))


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
    (text,) = [resource.spec["text"] for resource in resources if resource.view]
    (tmp_path / "w1.exec").write_text(text)
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
    for operation in operations(resources, interfaces):
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
