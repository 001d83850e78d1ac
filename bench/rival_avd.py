"""A fabric of pyavd: four spines, and 50 SVIs in 10 VRFs on every leaf; validated, and written as EOS.

Runs on the interpreter of .venv-rivals, so it imports nothing of ours.
"""

import json
import sys
from typing import Any

import pyavd  # type: ignore[import-not-found] # lies in .venv-rivals

SPINES, SVIS, VRFS = 4, 50, 10


def main(leaves: int) -> None:
    """Print how many lines of configuration all devices have."""
    kinds = {f"spine{n}": "spine" for n in range(1, SPINES + 1)}
    kinds |= {f"leaf{n}": "l3leaf" for n in range(1, leaves + 1)}
    inputs = {name: design(kind, leaves) for name, kind in kinds.items()}
    for name, said in inputs.items():
        if found := pyavd.validate_inputs(said).validation_result.violations:
            sys.exit(f"{name}: {found[0]}")
    facts = pyavd.get_avd_facts(inputs)
    lines = 0
    for name, said in inputs.items():
        structured = pyavd.get_device_structured_config(name, said, facts)
        lines += pyavd.get_device_config(structured).count("\n")
    json.dump({"lines of EOS": lines, "devices": len(kinds)}, sys.stdout)


def design(kind: str, leaves: int) -> dict[str, Any]:
    """Return the inputs of one device."""
    spines = [f"spine{n}" for n in range(1, SPINES + 1)]
    return {
        "type": kind,
        "fabric_name": "DC1",
        "underlay_routing_protocol": "ebgp",
        "overlay_routing_protocol": "ebgp",
        "spine": {
            "defaults": {"platform": "vEOS-lab", "loopback_ipv4_pool": "10.255.0.0/24", "bgp_as": "65000"},
            "nodes": [{"name": name, "id": number} for number, name in enumerate(spines, 1)],
        },
        "l3leaf": {
            "defaults": {
                "platform": "vEOS-lab",
                "loopback_ipv4_pool": "10.254.0.0/16",
                "vtep_loopback_ipv4_pool": "10.253.0.0/16",
                "uplink_interfaces": [f"Ethernet{n}" for n in range(1, SPINES + 1)],
                "uplink_switches": spines,
                "uplink_ipv4_pool": "10.128.0.0/12",
                "virtual_router_mac_address": "00:1c:73:00:dc:01",
            },
            "nodes": [
                {
                    "name": f"leaf{n}",
                    "id": n,
                    "bgp_as": str(65100 + n),
                    "uplink_switch_interfaces": [f"Ethernet{n}"] * SPINES,
                }
                for n in range(1, leaves + 1)
            ],
        },
        "tenants": [
            {"name": "T", "mac_vrf_vni_base": 10_000, "vrfs": [zone(n) for n in range(1, VRFS + 1)]},
        ],
    }


def zone(number: int) -> dict[str, Any]:
    """Return one VRF with its share of the SVIs."""
    svis = [
        {"id": 100 + n, "name": f"net-{n}", "enabled": True, "ip_address_virtual": f"10.1.{n}.1/24"}
        for n in range(number - 1, SVIS, VRFS)
    ]
    return {"name": f"VRF{number}", "vrf_vni": number, "svis": svis}


main(int(sys.argv[1]))
