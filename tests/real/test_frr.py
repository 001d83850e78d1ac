"""FRR configuration and link batches, read by the programs that they are for.

Nothing is started and nothing is configured: FRR's daemons check a file and end, `ip` and `bridge` work in a
network namespace of their own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fabrics import WHOLE, compiled, for_frr
from tests.renderers.test_fabric import PODS, SCOPE

pytestmark = pytest.mark.real

VTYSH = shutil.which("vtysh")
DAEMONS = Path("/usr/lib/frr")
SECTIONS = {
    "bgpd": r"(router bgp|ip prefix-list|ipv6 prefix-list)",
    "zebra": r"(vrf|interface)",
    "staticd": r"vrf",
}
"""Which daemon reads which top-level lines."""


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    documents = [
        item.replace("password: {env: N6_PASSWORD}", "imports: [0.0.0.0/0], exports: [10.10.6.0/24]")
        for item in for_frr(*WHOLE, PODS)
    ]
    resources = compiled(*documents).resources(SCOPE)
    return {item.key.name: item.spec["text"] for item in resources if item.key.family == "frr"}


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.skipif(VTYSH is None, reason="vtysh of FRR is not installed")
@pytest.mark.parametrize("switch", ["leaf1", "leaf2", "border1", "spine1"])
def test_vtysh_accepts_the_configuration(switch: str, texts: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / f"{switch}.conf"
    file.write_text(texts[f"{switch}.conf"], encoding="utf-8")
    done = run("vtysh", "-C", "-f", str(file))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.skipif(VTYSH is None, reason="vtysh of FRR is not installed")
def test_vtysh_refuses_what_is_wrong(texts: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "wrong.conf"
    file.write_text(
        texts["leaf1.conf"].replace("route-target import", "route-target accept"), encoding="utf-8"
    )
    done = run("vtysh", "-C", "-f", str(file))
    assert done.returncode != 0 or "Unknown command" in done.stdout + done.stderr


@pytest.mark.parametrize("daemon", sorted(SECTIONS))
@pytest.mark.parametrize("switch", ["leaf1", "border1", "spine1"])
def test_each_daemon_knows_every_line_of_its_sections(
    switch: str, daemon: str, texts: dict[str, str], tmp_path: Path
) -> None:
    if not (DAEMONS / daemon).exists():
        pytest.skip(f"{daemon} of FRR is not installed")
    wanted = [block for block in blocks(texts[f"{switch}.conf"]) if re.match(SECTIONS[daemon], block)]
    text = "".join(line for block in wanted for line in mine(block, daemon))
    file = tmp_path / f"{daemon}.conf"
    file.write_text(text, encoding="utf-8")
    done = run(str(DAEMONS / daemon), "-C", "-f", str(file))
    unknown = [line for line in done.stderr.splitlines() if "No such command" in line or "rror" in line]
    assert (done.returncode, unknown) == (0, [])


def blocks(text: str) -> list[str]:
    """Return the top-level blocks of a configuration, each with its indented lines."""
    return re.findall(r"^(?![! ]|exit).*\n(?:^(?: .*|exit.*)\n)*", text, re.MULTILINE)


def mine(block: str, daemon: str) -> list[str]:
    """Return the lines of a block that a daemon reads: those of a VRF are shared by zebra and staticd."""
    other = {"zebra": r" ip(v6)? route ", "staticd": r" vni "}.get(daemon)
    return [line for line in block.splitlines(keepends=True) if not (other and re.match(other, line))]


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not installed")
@pytest.mark.parametrize("switch", ["leaf1", "border1"])
def test_ip_understands_every_line(switch: str, texts: dict[str, str], tmp_path: Path) -> None:
    """Let `lo` stand for links that the kernel may not offer: then only the words of a line are judged."""
    lines = [
        re.sub(r"^(link set|address replace \S+ dev) \S+", r"\1 lo", line)
        if not line.startswith("link add")
        else re.sub(r"link (br0|swp\S+) name", "link lo name", line)
        for line in texts[f"{switch}.ip"].splitlines()
    ]
    file = tmp_path / "links"
    file.write_text(
        "\n".join(re.sub(r"master \S+", "nomaster", line) for line in lines) + "\n", encoding="utf-8"
    )
    done = run("unshare", "-n", "ip", "-force", "-batch", str(file))
    if "unshare failed" in done.stderr:
        pytest.skip("no right to make a network namespace")
    told = [
        line
        for line in done.stderr.splitlines()
        if line.startswith(("Error: argument", "Error: either", "Usage", "What is"))
    ]
    garbage = [
        line for line in done.stderr.splitlines() if "garbage" in line or "unknown" in line or "wrong" in line
    ]
    assert (told, garbage) == ([], [])


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not installed")
def test_the_kernel_takes_the_links_and_vlans(texts: dict[str, str], tmp_path: Path) -> None:
    ports = " ; ".join(f"ip link add {port} type dummy" for port in ("swp1", "swp2", "swp9", "swp51"))
    for suffix in ("ip", "bridge"):
        (tmp_path / suffix).write_text(texts[f"leaf1.{suffix}"], encoding="utf-8")
    script = (
        f"set -e ; {ports} ; ip -batch {tmp_path}/ip ; bridge -batch {tmp_path}/bridge ; bridge vlan show"
    )
    done = run("unshare", "-n", "bash", "-c", script)
    if (
        "Unknown device type" in done.stderr
        or "not supported" in done.stderr
        or "unshare failed" in done.stderr
    ):
        pytest.skip(f"this kernel lacks a type of link: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    assert "vni1000103" in done.stdout
