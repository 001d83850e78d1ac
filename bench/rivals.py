"""Neighbours on the same machine, in the same run: what is not installed is skipped, with the reason.

None of them does the same work. Each row says what is done, and the table says the gap: no neighbour has
places, allocation, checks across domains and the rendering of three worlds together.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from bench import generate
from bench.timing import ROOT, Figure, line, row, timed

PYTHON: Final = ROOT / ".venv-rivals/bin/python"
"""Made by `make bench-rivals`: rjsonnet and pyavd, in an environment of their own."""
_NETWORKS: Final = 1_000
_PER_NETWORK: Final = 50
"""NADs that refer to one network, in the configuration of terraform."""


def measure(folder: Path, runs: int) -> None:
    """Print the rows of every neighbour, each behind what intentc does for a like task."""
    for part in (_render, _plan, _switches):
        part(folder / part.__name__.strip("_"), runs)


def _render(folder: Path, runs: int) -> None:
    """One source → N NADs: for intentc with validation, allocation, and two objects of Apstra beside each."""
    for count in (_NETWORKS, 10 * _NETWORKS):
        root = folder / f"networks-{count}"
        generate.networks(root, count)
        _draw(root)
        command = [sys.executable, "-m", "bench.measure", "run", str(root)]
        row(f"intentc: {count:,} networks → NAD, virtual network, template", timed(command, runs), "")
        if not PYTHON.exists():
            _skip(f"rjsonnet: {count:,} NADs", "no .venv-rivals: run `make bench-rivals`")
            continue
        figure = timed([str(PYTHON), str(ROOT / "bench/rival_jsonnet.py"), str(count)], runs)
        row(f"rjsonnet: {count:,} NADs from one loop", figure, "")
    if not shutil.which("kubectl"):
        _skip("kubectl kustomize", "kubectl is not installed")
        return
    for count in (_NETWORKS // 4, _NETWORKS):
        base = folder / f"kustomize-{count}"
        _kustomize(base, count)
        figure = timed(["kubectl", "kustomize", str(base)], runs)
        row(f"kubectl kustomize: {count:,} NADs get a namespace and a label", figure, "")


def _plan(folder: Path, runs: int) -> None:
    """N objects that a target holds: apply all, and plan again with nothing changed."""
    root = folder / "intentc"
    generate.networks(root, _NETWORKS // 3, target="tree")
    _draw(root)
    words = [sys.executable, "-m", "intentc", "-C", str(root)]

    def empty() -> None:
        shutil.rmtree(root / "tree", ignore_errors=True)

    row("intentc apply: 1,000 objects to a directory", timed([*words, "apply", "--yes"], runs, empty), "")
    row("intentc plan: 1,000 objects, nothing changed", timed([*words, "plan"], runs), "")
    if not shutil.which("terraform"):
        _skip("terraform", "terraform is not installed")
        return
    os.environ |= {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_CLI_CONFIG_FILE": os.devnull}
    place = folder / "terraform"
    _terraform(place, _NETWORKS)
    subprocess.run(["terraform", "init", "-input=false"], cwd=place, check=True, stdout=subprocess.DEVNULL)
    flags = ["-input=false", "-no-color"]

    def forget() -> None:
        for state in place.glob("terraform.tfstate*"):
            state.unlink()

    made = f"{_NETWORKS + _NETWORKS // _PER_NETWORK:,} terraform_data"
    first = timed(["terraform", "apply", "-auto-approve", *flags], 1, forget, where=place)
    row("terraform apply: 1,000 blocks (1 run)", first, "", made)
    row("terraform plan: nothing changed", timed(["terraform", "plan", *flags], runs, where=place), "", made)


def _switches(folder: Path, runs: int) -> None:
    """50 networks in 10 zones on every leaf: lines of configuration."""
    for leaves in (4, 40):
        root = folder / f"fabric-{leaves}"
        generate.fabric(root, leaves)
        _draw(root)
        ours = timed([sys.executable, "-m", "bench.measure", "run", str(root)], runs)
        _lines(f"intentc: {leaves} leaves and 4 spines, FRR (and NADs)", ours, "lines of FRR")
        if not PYTHON.exists():
            _skip(f"pyavd: {leaves} leaves", "no .venv-rivals: run `make bench-rivals`")
            continue
        theirs = timed([str(PYTHON), str(ROOT / "bench/rival_avd.py"), str(leaves)], runs)
        _lines(f"pyavd: {leaves} leaves and 4 spines, all of EOS", theirs, "lines of EOS")


def _lines(name: str, figure: Figure, what: str) -> None:
    count = json.loads(figure.output)[what]
    row(name, figure, "", f"{count:,} {what}")


def _skip(name: str, why: str) -> None:
    line(name, "", "", "", "", f"skipped: {why}")


def _draw(root: Path) -> None:
    subprocess.run([sys.executable, "-m", "bench.measure", "draw", str(root)], cwd=ROOT, check=True)


def _nad(number: int) -> str:
    config = {"cniVersion": "1.0.0", "name": f"net-{number}", "type": "sriov", "vlan": number % 4000}
    return f"""apiVersion: k8s.cni.cncf.io/v1
kind: NetworkAttachmentDefinition
metadata:
  name: net-{number}
  annotations:
    k8s.v1.cni.cncf.io/resourceName: intel.com/pool
spec:
  config: '{json.dumps(config)}'
"""


def _kustomize(base: Path, count: int) -> None:
    base.mkdir(parents=True)
    (base / "nads.yaml").write_text("---\n".join(_nad(number) for number in range(count)))
    (base / "kustomization.yaml").write_text(
        "resources: [nads.yaml]\nnamespace: apps\nlabels:\n  - pairs: {tenant: red}\n"
    )


def _terraform(place: Path, count: int) -> None:
    place.mkdir(parents=True)
    blocks = [
        f'resource "terraform_data" "vn_{number}" {{\n  input = {{ vni = {10_000 + number} }}\n}}\n'
        for number in range(count // _PER_NETWORK)
    ]
    blocks += [
        f'resource "terraform_data" "nad_{number}" {{\n  input = {{\n    name = "net-{number}"\n'
        f"    vni = terraform_data.vn_{number // _PER_NETWORK}.output.vni\n"
        f'    config = jsonencode({{ type = "sriov", vlan = {number % 4000} }})\n  }}\n}}\n'
        for number in range(count)
    ]
    (place / "main.tf").write_text("".join(blocks))
