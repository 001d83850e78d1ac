"""`make lab` and `make lab-loss`: the story that the lab tells, and the long run of policy changes."""

from __future__ import annotations

import argparse
import re
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, Final

from lab import loss, repository, vpps
from lab.network import Lab, opened
from lab.spaces import ENDS, SEND_RATE, LabError, why_not
from reconciler.drivers.base import DriverError

ONE: Final = "east-1"
OTHER: Final = "west-1"
PINGS: Final = 100
_PREFIX: Final = re.compile("lab-[a-z0-9-]{0,40}")
"""What has such a name is removed, so it must not be the name of something else."""


def main() -> int:
    """Run the lab; exit code 1 where something was not as promised."""
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("story", "loss", "loss-vpp"), default="story")
    parser.add_argument("--packets", type=_several, default=1_050_000, help="of the stream of `loss`")
    parser.add_argument("--changes", type=_several, default=100, help="policy changes of `loss`")
    parser.add_argument("--family", choices=("ipv4", "ipv6"), default="ipv4", help="of the stream of `loss`")
    parser.add_argument(
        "--prefix", type=_prefix, default="lab-", help="what the names of namespaces begin with"
    )
    options = parser.parse_args()
    if why := why_not():
        print(f"lab: skipped: {why}")
        return 0
    for number in ENDS:
        signal.signal(number, end)
    try:
        if options.what == "loss":
            return _loss(options.changes, options.packets, options.family, options.prefix)
        if options.what == "loss-vpp":
            return _loss_vpp(options.changes, options.packets, options.prefix)
        return story(partial(print, flush=True), options.prefix)
    except KeyboardInterrupt:
        print("\nlab: broken off; every namespace was removed")
        return 130
    except (LabError, DriverError) as error:
        print(f"lab: {error}")
        return 1


def story(tell: Callable[[str], Any], prefix: str = "lab-") -> int:
    """Build, apply, ping, look at the counters, and change the policy under way."""
    begun = time.monotonic()
    with opened(prefix) as lab:
        routers = len(lab.graph.allocated.resolved.underlay.routers)
        parts = f"{routers} routers, {len(lab.nodes)} nodes, {len(lab.pods)} pods"
        tell(f"built      {parts} in namespaces {prefix}*")
        tell(f"           pod {' · '.join(f'{pod.node} {pod.ipv4} {pod.ipv6}' for pod in lab.pods.values())}")
        tell(f"apply      {lab.intentc('apply', '--yes').splitlines()[-1]}")
        missing = nothing_left(lab, tell)
        missing += sum(_ping(lab, one, other, tell) for one, other in ((ONE, OTHER), (OTHER, ONE)))
        missing += _stream(lab, tell, "split: 3 parts over p1 and p3, 1 part over link p2-p4-b")
        repository.prefer(lab.repository, "bulk")
        missing += _stream(
            lab, tell, "changed under way to bulk: off the fast plane", lambda: _apply(lab, tell)
        )
        missing += _stream(lab, tell, "bulk")
    tell(f"           {time.monotonic() - begun:.1f} s; every namespace was removed")
    return 1 if missing else 0


def nothing_left(lab: Lab, tell: Callable[[str], Any]) -> int:
    """Plan again, and tell; return 1 where something is left to do."""
    said = lab.intentc("plan").splitlines()[-1]
    tell(f"plan       {said}")
    return 0 if said.startswith("nothing to change") else 1


def _ping(lab: Lab, one: str, other: str, tell: Callable[[str], Any]) -> int:
    missing = 0
    for family in ("ipv4", "ipv6"):
        found = lab.ping(one, other, family, PINGS)
        missing += found["sent"] - found["received"]
        tell(f"ping       {one} → {other} {family}: {found['received']} of {found['sent']}")
    return missing


def _stream(
    lab: Lab, tell: Callable[[str], Any], words: str, meanwhile: Callable[[], None] = lambda: None
) -> int:
    """Send numbered packets, do something meanwhile, and tell what came and which way."""
    tell(f"policy     east-to-west, {words}")
    before = lab.counters()
    with lab.stream(ONE, OTHER, flows=64) as report:
        time.sleep(0.5)
        meanwhile()
        time.sleep(0.5)
    rate = report["sent"] / report["seconds"]
    tell(
        f"           {report['lost']} of {report['sent']:,} packets lost ({rate:,.0f}/s in 64 flows), "
        f"longest gap {1000 * report['longest_gap']:.1f} ms"
    )
    for name, count in lab.counters().items():
        if count - before[name] > PINGS:
            tell(f"           {count - before[name]:>9,} {name}")
    return int(report["lost"])


def _apply(lab: Lab, tell: Callable[[str], Any]) -> None:
    plan = lab.intentc("plan").splitlines()
    tell(f"           plan: {plan[-1]}")
    tell(f"           {lab.intentc('apply', '--yes').splitlines()[-1]}")


def _loss(changes: int, count: int, family: str, prefix: str) -> int:
    with opened(prefix, (ONE, OTHER)) as lab:
        lab.intentc("apply", "--yes")
        found = loss.measure(lab, changes, count, family)
    print(f"Linux, {family}: {found}")
    return 1 if found.lost else 0


def _loss_vpp(changes: int, count: int, prefix: str) -> int:
    if why := vpps.why_not():
        print(f"lab: skipped: {why}")
        return 0
    found = vpps.measure(changes, count, SEND_RATE, prefix)
    print(f"VPP, ipv4: {found}")
    return 1 if found.lost else 0


def _several(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1")
    return int(text)


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not like lab-mine-: lab-, then up to 40 of a-z, 0-9 and -"
        )
    return text


def end(_signal: int, _frame: FrameType | None) -> None:
    """Break off as ctrl-C does."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
