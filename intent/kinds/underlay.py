"""Underlay: the SRv6 routers between nodes and data centres, and the links between them."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from intent.model import Model, Spec
from intent.scalars import (
    IP,
    BitsPerSecond,
    Interface,
    IPv6,
    Label,
    Metric,
    Microseconds,
    Msd,
    Mtu,
    Prefix6,
    wrong,
)


class MaxSids(Model):
    """How many SIDs a router can handle (MSD types of RFC 9352 §4)."""

    encaps: Msd | None = None
    """Most SIDs that it can push (Max H.Encaps)."""
    segments_left: Msd | None = None
    """Largest Segments Left that it forwards (Max Segments Left)."""
    end_pop: Msd | None = None
    """Longest SRH that it can pop (Max End Pop)."""
    end_d: Msd | None = None
    """Longest SRH that it can decapsulate (Max End D)."""


class Router(Model):
    """One SRv6 router of the core."""

    name: Label
    """Name in segment lists, links and the uplinks of nodes."""
    site: Label | None = None
    """Data centre or point of presence."""
    loopback: IPv6
    """Address of the router itself."""
    locator: Prefix6
    """SRv6 locator (block and node part together); its SIDs lie inside."""
    end_sid: IPv6 | None = None
    """SID of behaviour End; by default the first address of the locator after its own. Its own address says
    that the router does NEXT-C-SID (RFC 9800)."""
    max_sids: MaxSids = MaxSids()
    """Limits of the hardware; unlimited where not said."""
    state: Literal["active", "drain"] = "active"
    """`drain` takes the router out of every segment list, as for maintenance."""

    @property
    def sid(self) -> IPv6Address:
        """The End SID in force."""
        return self.end_sid or self.locator.network_address + 1

    @model_validator(mode="after")
    def _inside(self) -> Self:
        if self.end_sid and self.end_sid not in self.locator:
            raise wrong(f"End SID {self.end_sid} lies outside locator {self.locator}", "", "endSid")
        return self


class End(Model):
    """One end of a link; metrics here hold for the direction that leaves this end."""

    at: Label
    """Router of this underlay, or Node."""
    interface: Interface | None = None
    """Interface of the link at this end."""
    address: IP | None = None
    """Address of this end on the link: the other end's next hop."""
    end_x_sid: IPv6 | None = None
    """SID of behaviour End.X at this end, which forces this link; needed to choose one of parallel links."""
    igp_metric: Metric | None = None
    """IGP metric of this direction, where it differs from the link's."""
    te_metric: Metric | None = None
    """TE metric of this direction, where it differs from the link's."""
    latency: Microseconds | None = None
    """Latency of this direction, where it differs from the link's."""


class Link(Model):
    """One link between two ends."""

    name: Label
    """Name in segment lists and facts."""
    ends: tuple[End, End]
    """The two ends."""
    igp_metric: Metric = 10
    """IGP metric of both directions."""
    te_metric: Metric | None = None
    """TE metric of both directions; the IGP metric where not said."""
    latency: Microseconds | None = None
    """Latency of both directions."""
    bandwidth: BitsPerSecond | None = None
    """Capacity."""
    affinities: tuple[Label, ...] = ()
    """Affinities (link colours) that the link has."""
    srlgs: tuple[Label, ...] = ()
    """Shared-risk groups that the link belongs to."""
    mtu: Mtu | None = None
    """IP MTU of the link; the underlay's where not said."""

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.ends[0].at == self.ends[1].at:
            raise wrong(f"both ends of link {self.name!r} are at {self.ends[0].at!r}", "", "ends", 1, "at")
        return self


class UnderlaySpec(Spec):
    """Routers, links, and what holds for all of them."""

    affinities: tuple[Label, ...] = ()
    """Affinity names that links may use."""
    srlgs: tuple[Label, ...] = ()
    """Shared-risk group names that links may use."""
    mtu: Mtu = 9000
    """IP MTU of links that do not say their own."""
    block: Prefix6 | None = None
    """SRv6 SID block: every locator and localsid pool of the underlay must lie inside, where it is said."""
    routers: tuple[Router, ...]
    """SRv6 routers."""
    links: tuple[Link, ...] = ()
    """Links between routers, and between routers and nodes."""

    example: ClassVar[str] = """\
apiVersion: intentc.dev/v1alpha1
kind: Underlay
metadata:
  name: core
spec:
  affinities: [gold]
  mtu: 9000
  routers:
    - name: p1
      site: dc1
      loopback: fd00:0:1::1
      locator: fcbb:0:1::/48
      maxSids:
        encaps: 8
    - name: p2
      site: dc2
      loopback: fd00:0:2::1
      locator: fcbb:0:2::/48
  links:
    - name: p1-p2
      latency: 2ms
      bandwidth: 100G
      affinities: [gold]
      ends:
        - at: p1
          interface: eth1
        - at: p2
          interface: eth1
          igpMetric: 20
"""
