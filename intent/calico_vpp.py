"""What Calico-VPP's agents are told beside SRv6: a cluster's own settings, by the names that the agents have.

Agents ignore a setting whose name they do not know, and do not start over a value that they cannot take: so
names, types and what cannot go together are checked here (Calico-VPP 3.32). What SRv6 decides is no field.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from intent.model import Model
from intent.scalars import Mtu, PerhapsText, Text, wrong

Queues = Annotated[int, Field(strict=True, ge=0, le=65535)]
_LEAST: Final = {"rx": 1, "tx": 1, "rxqsz": 1024, "txqsz": 1024}
"""What agents take where nothing, or 0, is said."""


class InterfaceSettings(Model):
    """Queues and mode of interfaces of VPP."""

    rx: Queues | None = None
    """Receive queues."""
    tx: Queues | None = None
    """Transmit queues."""
    rxqsz: Queues | None = None
    """Descriptors of a receive queue."""
    txqsz: Queues | None = None
    """Descriptors of a transmit queue."""
    isl3: bool | None = Field(default=None, strict=True)
    """Carry packets, and not Ethernet frames."""
    rx_mode: Literal["polling", "interrupt", "adaptive", "default"] | None = None
    """How VPP notices what was received."""

    def amount(self, field: str) -> int:
        """Return how many queues or descriptors there are, as agents count them."""
        return getattr(self, field) or _LEAST[field]


class UplinkSettings(InterfaceSettings):
    """An interface of the host that VPP takes over; as for agents, an empty text says nothing."""

    interface_name: Text
    """Its name."""
    is_main: bool | None = Field(default=None, strict=True)
    """The uplink of the node; the first, where none is marked."""
    vpp_driver: PerhapsText | None = None
    """How VPP drives it; the best that fits where not said. All uplinks but the main one must say it."""
    new_driver: PerhapsText | None = None
    """Driver of the kernel to bind it to before."""
    physical_network_name: PerhapsText | None = None
    """Physical network behind it."""
    annotations: dict[str, str] = Field(default_factory=dict)
    """Annotations."""
    ip_families: Literal["IPv4", "IPv6", "IPv4,IPv6"] | None = None
    """Families whose address must be there before VPP takes it."""
    mtu: Mtu | None = None
    """MTU; that of the kernel's interface where not said."""


class InterfacesSettings(Model):
    """Interfaces (CALICOVPP_INTERFACES)."""

    default_pod_if_spec: InterfaceSettings | None = None
    """Interfaces of pods."""
    max_pod_if_spec: InterfaceSettings | None = None
    """Most that pods may ask for."""
    vpp_host_tap_spec: InterfaceSettings | None = None
    """VPP's interface to the host."""
    uplink_interfaces: tuple[UplinkSettings, ...] = ()
    """Uplinks, all of them; one alone can be said as `uplinkInterface`."""

    @property
    def main(self) -> int:
        """The number of the main uplink."""
        return next((at for at, uplink in enumerate(self.uplink_interfaces) if uplink.is_main), 0)

    @model_validator(mode="after")
    def _startable(self) -> Self:
        most, usual = self.max_pod_if_spec, self.default_pod_if_spec or InterfaceSettings()
        for field in _LEAST if most else ():
            if most and usual.amount(field) > most.amount(field):
                raise wrong(
                    f"pods get {usual.amount(field)} as {field} and may have {most.amount(field)}: "
                    "agents do not start",
                    f"raise maxPodIfSpec.{field}, or lower defaultPodIfSpec.{field}",
                )
        if sum(uplink.is_main is True for uplink in self.uplink_interfaces) > 1:
            raise wrong("two uplinks are the main one: agents do not start", "mark one", "uplinkInterfaces")
        for at, uplink in enumerate(self.uplink_interfaces):
            if at != self.main and not uplink.vpp_driver:
                raise wrong(
                    f"uplink {uplink.interface_name!r} is not the main one and says no driver: "
                    "agents do not start",
                    "say vppDriver",
                    *("uplinkInterfaces", at),
                )
        return self


class FeatureGates(Model):
    """Features (CALICOVPP_FEATURE_GATES) beside SRv6, which follows from `srv6`."""

    memif_enabled: bool | None = Field(default=None, strict=True)
    """Memif interfaces of pods."""
    vcl_enabled: bool | None = Field(default=None, strict=True)
    """VPP's host stack for pods."""
    multinet_enabled: bool | None = Field(default=None, strict=True)
    """Several networks for one pod."""
    ipsec_enabled: bool | None = Field(default=None, strict=True)
    """IPsec between nodes; SRv6 takes its place."""
    prometheus_enabled: bool | None = Field(default=None, strict=True)
    """Metrics of VPP."""


class DebugSettings(Model):
    """Debugging (CALICOVPP_DEBUG) beside GSO, which SRv6 turns off."""

    services_enabled: bool | None = Field(default=None, strict=True)
    """Services of Kubernetes in VPP."""
    spread_tx_queues_on_workers: bool | None = Field(default=None, strict=True)
    """Transmit queues on all workers."""
    enable_udev_net_name_rules: bool | None = Field(default=None, strict=True)
    """Keep the names that udev gave to interfaces."""
    fetch_v6_l_lntries: Annotated[int, Field(strict=True, ge=0, le=2**32 - 1)] | None = None
    """Seconds to wait for the link-local address of the host's interface."""
    translate_uplink_addr_mask_to64: bool | None = Field(default=None, strict=True)
    """Take IPv6 addresses of uplinks with /128 as such with /64."""


class AgentSettings(Model):
    """What Calico-VPP's agents are told beside SRv6; names are theirs, so that what runs can be copied."""

    feature_gates: FeatureGates = FeatureGates()
    """Features."""
    debug: DebugSettings = DebugSettings()
    """Debugging."""
    interfaces: InterfacesSettings = InterfacesSettings()
    """Interfaces."""


def told(settings: Model) -> dict[str, Any]:
    """Return settings by the names that agents have; what is not said is left to them."""
    return settings.model_dump(mode="json", by_alias=True, exclude_defaults=True)
