"""Keep the data plane of one node as its slice says: VPP or Linux, on the node itself. See docs/agent.md."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from intent.kinds.project import ADDRESS
from intentc.files import reason
from intentc.service import Taken, alone, commit, folder, place, seconds, user
from reconciler.agent.agent import Agent, World
from reconciler.agent.dataplane import SOCKET, Dataplane, Linux, Vpp
from reconciler.agent.step import Terms
from reconciler.drivers.base import DriverError
from reconciler.execute import Applier
from reconciler.git import GitError
from reconciler.health import Health
from reconciler.lease import here
from reconciler.local import state_folder
from reconciler.systemd import notifier
from reconciler.telling import Log

if TYPE_CHECKING:
    from reconciler.agent.policies import PolicyFeed
    from reconciler.agent.slice import SliceSource

_TTL: Final = 10.0
"""Seconds of a lease: an agent that was killed in a container keeps the next one waiting for so long."""
_GIT: Final = "git+"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add = parser.add_argument
    add("--node", required=True, type=_node, metavar="N", help="the node: CLUSTER/NODE, or NODE")
    add(
        "--from",
        dest="source",
        required=True,
        type=_said,
        metavar="SOURCE",
        help="where its slice comes from: a folder of rendered files, git+URL, or kubernetes",
    )
    add("--branch", default="main", help="branch of git+URL (default: main)")
    add(
        "--folder", type=folder, default="", metavar="DIR", help="where intent or files lie in the repository"
    )
    add("--trust", type=commit, metavar="COMMIT", help="the first commit must follow this one (full hash)")
    add("--accept-rewrite", type=commit, metavar="COMMIT", help="this head may rewrite history (full hash)")
    add(
        "--interval",
        type=seconds,
        default=30.0,
        metavar="S",
        help="look at the git remote so often (default: 30 s)",
    )
    add(
        "--kubeconfig",
        type=Path,
        metavar="FILE",
        help="kubeconfig (default: the usual ones, or the service account)",
    )
    add("--context", metavar="NAME", help="context of the kubeconfig (default: the current one)")
    add(
        "--namespace",
        default="intentc-system",
        help="namespace of NodeOverlay objects (default: %(default)s)",
    )
    plane = parser.add_mutually_exclusive_group()
    plane.add_argument("--vpp", metavar="SOCKET", help=f"API socket of VPP (default for VPP: {SOCKET})")
    plane.add_argument(
        "--linux",
        nargs="?",
        const="",
        metavar="NETNS",
        help="the Linux data plane, of a named network namespace (default: of this process)",
    )
    add(
        "--gobgp",
        type=_address,
        metavar="HOST:PORT",
        help="the GoBGP beside the agent, where policies come by BGP (or unix:///SOCKET)",
    )
    add(
        "--resync",
        type=seconds,
        default=300.0,
        metavar="S",
        help="look at the data plane so often (default: 300 s)",
    )
    add(
        "--state",
        type=Path,
        metavar="DIR",
        help="folder for journals and clones (default: ~/.local/state/intentc/agents/NODE)",
    )
    add("--status", type=Path, metavar="FILE", help="write the status here")
    add("--log", choices=("text", "json"), default="text", help="form of the log on standard error")
    add("--listen", type=place, metavar="HOST:PORT", help="serve /healthz, /readyz and /metrics here")
    add(
        "--stuck-after",
        type=seconds,
        default=300.0,
        metavar="S",
        help="/healthz turns red after so long a silence (default: 300 s)",
    )
    add("--once", action="store_true", help="one attempt only (exit code 1: something is left)")


def _node(text: str) -> str:
    cluster, slash, name = text.rpartition("/")
    if not name or "/" in cluster or (slash and not cluster) or text.startswith("."):
        raise argparse.ArgumentTypeError(f"{text!r} is not CLUSTER/NODE or NODE")
    return text


def _said(text: str) -> str:
    if "://" in text and not text.startswith(_GIT):
        raise argparse.ArgumentTypeError(f"{text!r} is no folder; for a git remote write {_GIT}{text}")
    return text


def _address(text: str) -> str:
    if not ADDRESS.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, nor unix:///SOCKET")
    return text


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    try:
        state = options.state or state_folder(os.environ) / "agents" / options.node
    except RuntimeError:
        sys.stderr.write("intentc: no place for the state: this user has no home; say --state DIR\n")
        return 1
    try:
        state = state.resolve()
        with ExitStack() as stack:
            stack.enter_context(alone(state, "agent"))
            agent = _agent(options, state, stack)
            before = {
                number: signal.signal(number, lambda *_: agent.stop())
                for number in (signal.SIGTERM, signal.SIGINT)
            }
            try:
                agent.run(once=options.once)
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)
        return 0 if agent.well or not options.once else 1
    except (DriverError, GitError, OSError, Taken) as error:
        sys.stderr.write(f"intentc: {reason(error)}\n")
    return 1


def _agent(options: argparse.Namespace, state: Path, stack: ExitStack) -> Agent:
    """Put everything together."""
    log = Log(sys.stderr, options.log, time.time)
    family = "vpp" if options.vpp else "linux" if options.linux is not None else ""
    metrics = None
    if options.listen:
        from reconciler.agent.metrics import Metrics

        metrics = Metrics(time.time)

    def plane_of(wanted: str) -> Dataplane:
        if wanted == "vpp":
            return Vpp(options.node, options.vpp or SOCKET)
        return Linux(options.node, options.linux or None)

    world = World(
        source=_source(options, state),
        plane_of=plane_of,
        feed=_feed(options.gobgp) if options.gobgp else None,
        applier=Applier(here(f"{user()}@{socket.gethostname()}"), state / "journals", ttl=_TTL),
        log=log,
        metrics=metrics,
        status=options.status,
        stuck_after=options.stuck_after,
        notify=notifier(os.environ),
    )
    agent = Agent(Terms(options.node, family, options.resync), world)
    if options.listen:
        health = Health(options.listen, agent.pages())
        stack.callback(health.close)
        log("info", f"health at http://{options.listen[0]}:{health.port}/healthz")
    log("info", f"keeping node {options.node} as {options.source} says")
    return agent


def _source(options: argparse.Namespace, state: Path) -> SliceSource:
    """Return where the slice comes from; each kind is imported when it is used."""
    said: str = options.source
    by_bgp = bool(options.gobgp)
    if said == "kubernetes":
        from reconciler.kube import connect
        from reconciler.overlay.source import KubernetesSource

        return KubernetesSource(connect(options.kubeconfig, options.context), options.namespace, options.node)
    if said.startswith(_GIT):
        from reconciler.agent.branch import GitSource
        from reconciler.gitops.clone import clone_of
        from reconciler.gitops.commit import Terms as Gates

        clone = clone_of(state, said.removeprefix(_GIT), options.branch)
        gates = Gates(options.folder, options.trust or "", options.accept_rewrite or "")
        return GitSource(clone, gates, options.node, by_bgp, options.interval)
    from reconciler.agent.tree import DirectorySource

    return DirectorySource(Path(said).absolute() / options.folder, options.node, by_bgp)


def _feed(address: str) -> PolicyFeed:
    from reconciler.agent.bgp import GobgpFeed

    return GobgpFeed(address)
