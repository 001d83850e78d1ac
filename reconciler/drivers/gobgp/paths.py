"""SR policies between the two forms that they have: our plain spec, and a path of GoBGP's API (RFC 9830).

Invariant: `Announced` says all that a path says of a policy, so that what was announced compares equal when
it is read back, and whatever else stands in it makes it differ. A candidate path name (sub-TLV 129) is never
written: GoBGP before June 2026 dies when it receives one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any, Final, NamedTuple

from reconciler.drivers.gobgp.messages import AFI_IP6, SR_POLICY, new, packed, unpacked

NO_ADVERTISE: Final = 0xFFFFFF02
"""Well-known community (RFC 1997)."""
ROUTE_TARGET: Final = 2
"""Sub-type of an extended community (RFC 4360)."""
SR_TUNNEL: Final = 15
"""Tunnel type of SR policies (RFC 9830 §2.2)."""
NLRI_BITS: Final = 192
_LOCAL: Final = frozenset({"", "<nil>"})
"""What the API shows in place of a neighbour where a path was injected."""
_PASSED: Final = frozenset(
    {
        *("AsPathAttribute", "As4PathAttribute", "LocalPrefAttribute", "MultiExitDiscAttribute"),
        *("OriginatorIdAttribute", "ClusterListAttribute", "OriginAttribute"),
    }
)
"""Attributes that BGP speakers add on the way, and that say nothing of the policy."""


class Nlri(NamedTuple):
    """What tells SR policies of BGP apart (RFC 9830 §2.1)."""

    distinguisher: int
    color: int
    endpoint: str

    def __str__(self) -> str:
        """Write it as it stands in the name of a resource."""
        return f"{self.distinguisher} {self.color} {self.endpoint}"


class Segment(NamedTuple):
    """A SID with its endpoint behaviour (IANA code point), where it was said."""

    sid: str
    behavior: int | None = None


class Weighted(NamedTuple):
    """A segment list."""

    weight: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Announced:
    """One announcement of an SR policy; what was not said is None."""

    nlri: Nlri
    next_hop: str
    bsid: str | None
    lists: tuple[Weighted, ...]
    preference: int | None = None
    priority: int | None = None
    no_advertise: bool = False
    route_targets: tuple[str, ...] = ()
    """BGP identifiers of the headends that it is for (IPv4-address-format)."""
    neighbor: str = ""
    """Who announced it to this speaker; empty where it was injected here."""
    unknown: tuple[str, ...] = ()
    """What else stands in it, by the names of the API; communities have that word before theirs."""

    @property
    def behavior(self) -> int | None:
        """The behaviour of the service SID, in which all lists end."""
        return self.lists[0].segments[-1].behavior if self.lists and self.lists[0].segments else None

    @property
    def service_sid(self) -> str | None:
        """The SID that the first list ends in."""
        return self.lists[0].segments[-1].sid if self.lists and self.lists[0].segments else None


def spec_of(found: Announced) -> dict[str, Any]:
    """Return an announcement as the renderer writes it."""
    spec: dict[str, Any] = {
        "afi": AFI_IP6,
        "safi": SR_POLICY,
        **found.nlri._asdict(),
        "next_hop": found.next_hop,
        "bsid": found.bsid,
        "preference": found.preference,
        "priority": found.priority,
        "no_advertise": found.no_advertise,
        "route_targets": list(found.route_targets),
        "lists": [
            {
                "weight": item.weight,
                "segments": [
                    {"sid": hop.sid} if hop.behavior is None else {"sid": hop.sid, "behavior": hop.behavior}
                    for hop in item.segments
                ],
            }
            for item in found.lists
        ],
    }
    return spec | {"unknown": list(found.unknown)} if found.unknown else spec


def announced_as(spec: Mapping[str, Any]) -> Announced:
    """Return what a spec wants announced; KeyError, TypeError or ValueError where it is no SR policy."""
    if (spec["afi"], spec["safi"]) != (AFI_IP6, SR_POLICY):
        raise ValueError("it is not of AFI 2, SAFI 73")
    lists = tuple(
        Weighted(item["weight"], tuple(Segment(hop["sid"], hop.get("behavior")) for hop in item["segments"]))
        for item in spec["lists"]
    )
    return Announced(
        Nlri(spec["distinguisher"], spec["color"], spec["endpoint"]),
        spec["next_hop"],
        spec["bsid"],
        lists,
        spec["preference"],
        spec["priority"],
        no_advertise=spec["no_advertise"],
        route_targets=tuple(spec["route_targets"]),
    )


def path_of(wanted: Announced) -> Any:
    """Return the path of the API that announces a policy."""
    tlvs = []
    if wanted.bsid is not None:
        # With sub-TLV 20 GoBGP mangles the SID, and Calico-VPP reads only sub-TLV 13.
        bsid = packed("SRBindingSID", s_flag=True, sid=IPv6Address(wanted.bsid).packed)
        tlvs.append(packed("TunnelEncapSubTLVSRBindingSID", bsid=bsid))
    tlvs += [
        packed(
            "TunnelEncapSubTLVSRSegmentList",
            weight=new("SRWeight", weight=item.weight),
            segments=[_segment(hop) for hop in item.segments],
        )
        for item in wanted.lists
    ]
    if wanted.preference is not None:
        tlvs.append(packed("TunnelEncapSubTLVSRPreference", preference=wanted.preference))
    if wanted.priority is not None:
        tlvs.append(packed("TunnelEncapSubTLVSRPriority", priority=wanted.priority))
    tunnel = new("TunnelEncapTLV", type=SR_TUNNEL, tlvs=tlvs)
    attributes = [
        packed("OriginAttribute", origin=0),
        packed("NextHopAttribute", next_hop=wanted.next_hop),
        packed("TunnelEncapAttribute", tlvs=[tunnel]),
    ]
    if wanted.no_advertise:
        attributes.append(packed("CommunitiesAttribute", communities=[NO_ADVERTISE]))
    if wanted.route_targets:
        targets = [
            packed("IPv4AddressSpecificExtended", is_transitive=True, sub_type=ROUTE_TARGET, address=address)
            for address in wanted.route_targets
        ]
        attributes.append(packed("ExtendedCommunitiesAttribute", communities=targets))
    return new("Path", nlri=_nlri(wanted.nlri), pattrs=attributes, family=srpolicy())


def withdrawal_of(found: Announced) -> Any:
    """Return the path of the API that takes an announcement back; it knows a path by NLRI and next hop."""
    hop = packed("NextHopAttribute", next_hop=found.next_hop)
    return new("Path", nlri=_nlri(found.nlri), pattrs=[hop], family=srpolicy(), is_withdraw=True)


def srpolicy() -> Any:
    """Return the family of SR policies."""
    return new("Family", afi=AFI_IP6, safi=SR_POLICY)


def _nlri(nlri: Nlri) -> Any:
    return packed(
        "SRPolicyNLRI",
        length=NLRI_BITS,
        distinguisher=nlri.distinguisher,
        color=nlri.color,
        endpoint=IPv6Address(nlri.endpoint).packed,
    )


def _segment(hop: Segment) -> Any:
    sid = IPv6Address(hop.sid).packed
    if hop.behavior is None:
        return packed("SegmentTypeB", flags=new("SegmentFlags"), sid=sid)
    structure = new("SRv6EndPointBehavior", behavior=hop.behavior)
    # The B flag says that the behaviour follows (RFC 9830 §2.4.4.2.3).
    flags = new("SegmentFlags", b_flag=True)
    return packed("SegmentTypeB", flags=flags, sid=sid, endpoint_behavior_structure=structure)


def announced(path: Any) -> Announced | None:
    """Return what a path of the API says; None where its NLRI is no SR policy of IPv6."""
    _, nlri = unpacked(path.nlri)
    if nlri is None or path.nlri.type_url.rpartition(".")[2] != "SRPolicyNLRI" or len(nlri.endpoint) != 16:  # noqa: PLR2004 -- octets of an IPv6 address
        return None
    reading = _Reading()
    for box in path.pattrs:
        reading.attribute(box)
    return Announced(
        Nlri(nlri.distinguisher, nlri.color, str(IPv6Address(nlri.endpoint))),
        reading.next_hop,
        reading.bsid,
        tuple(reading.lists),
        reading.preference,
        reading.priority,
        no_advertise=reading.no_advertise,
        route_targets=tuple(reading.targets),
        neighbor="" if path.neighbor_ip in _LOCAL else path.neighbor_ip,
        unknown=tuple(reading.unknown),
    )


class _Reading:
    """What was read of a path so far."""

    def __init__(self) -> None:
        self.next_hop = ""
        self.bsid: str | None = None
        self.lists: list[Weighted] = []
        self.preference: int | None = None
        self.priority: int | None = None
        self.no_advertise = False
        self.targets: list[str] = []
        self.unknown: list[str] = []

    def attribute(self, box: Any) -> None:
        name, value = unpacked(box)
        match name:
            case "NextHopAttribute":
                self.next_hop = value.next_hop
            case "MpReachNLRIAttribute":
                self.next_hop = next(iter(value.next_hops), "")
            case "CommunitiesAttribute":
                self.no_advertise = NO_ADVERTISE in value.communities
                self.unknown += [f"community {item}" for item in value.communities if item != NO_ADVERTISE]
            case "ExtendedCommunitiesAttribute":
                self.communities(value.communities)
            case "TunnelEncapAttribute":
                for tunnel in value.tlvs:
                    if tunnel.type != SR_TUNNEL:
                        self.unknown.append(f"tunnel type {tunnel.type}")
                        continue
                    for part in tunnel.tlvs:
                        self.sub_tlv(part)
            case _ if name not in _PASSED:
                self.unknown.append(f"community {name}" if "Communities" in name else name)

    def communities(self, boxes: Iterable[Any]) -> None:
        for box in boxes:
            name, value = unpacked(box)
            target = name == "IPv4AddressSpecificExtended" and value.sub_type == ROUTE_TARGET
            if target and value.local_admin == 0:
                self.targets.append(value.address)
            else:
                self.unknown.append(f"community {name}")

    def sub_tlv(self, box: Any) -> None:
        name, value = unpacked(box)
        match name:
            case "TunnelEncapSubTLVSRPreference":
                self.preference = value.preference
            case "TunnelEncapSubTLVSRPriority":
                self.priority = value.priority
            case "TunnelEncapSubTLVSRBindingSID":
                self.binding(value.bsid)
            case "TunnelEncapSubTLVSRSegmentList":
                self.segments(value)
            case _:
                self.unknown.append(name)

    def binding(self, box: Any) -> None:
        name, value = unpacked(box)
        if value is not None and name == "SRBindingSID" and len(value.sid) == 16:  # noqa: PLR2004 -- octets of an IPv6 address
            self.bsid = str(IPv6Address(value.sid))
        else:
            self.unknown.append(name)

    def segments(self, value: Any) -> None:
        found = []
        for box in value.segments:
            name, hop = unpacked(box)
            if hop is None or name != "SegmentTypeB" or len(hop.sid) != 16:  # noqa: PLR2004 -- octets of an IPv6 address
                self.unknown.append(name)
                continue
            said = hop.HasField("endpoint_behavior_structure")
            behavior = hop.endpoint_behavior_structure.behavior if said else None
            found.append(Segment(str(IPv6Address(hop.sid)), behavior))
        # Weight 1 holds where none is said (RFC 9256 §2.11).
        self.lists.append(Weighted(value.weight.weight if value.HasField("weight") else 1, tuple(found)))
