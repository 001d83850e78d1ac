"""The files under deploy/: what they start takes their arguments, has the rights it uses, and no more."""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest
from ruamel.yaml import YAML

from tests.apiserver import real

ROOT: Final = Path(__file__).parents[1]
DEPLOY: Final = ROOT / "deploy"
MANIFESTS: Final = sorted(DEPLOY.glob("*.yaml"))
UNITS: Final = sorted(DEPLOY.glob("*.service"))
GIVEN: Final = {"NODE_NAME": "worker-1", "NAMESPACE": "intentc-system", "HOST_IP": "192.0.2.1"}
PAGES: Final = {"run": {"/livez", "/readyz"}, "agent": {"/healthz", "/readyz"}}


def documents(path: Path) -> list[Any]:
    return list(YAML(typ="safe").load_all(path.read_text()))


def one(path: Path, *kinds: str) -> Any:
    (found,) = [item for item in documents(path) if item["kind"] in kinds]
    return found


def options(words: list[str]) -> argparse.Namespace:
    """Read a command line as the command does; one that it does not take ends the test."""
    module = import_module(f"intentc.commands.{words[0]}")
    parser = argparse.ArgumentParser(exit_on_error=False)
    module.arguments(parser)
    found: argparse.Namespace = parser.parse_args(words[1:])
    return found


def container(path: Path) -> Any:
    (found,) = one(path, "DaemonSet", "Deployment")["spec"]["template"]["spec"]["containers"]
    return found


def filled(container: Any) -> list[str]:
    """Return the arguments of a container with its variables filled in."""
    known = {entry["name"] for entry in container["env"]}
    assert known - {"HOME", "GIT_SSH_COMMAND"} <= GIVEN.keys()

    def value(found: re.Match[str]) -> str:
        assert found[1] in known, f"{found[1]} is not in the environment"
        return GIVEN[found[1]]

    return [re.sub(r"\$\((\w+)\)", value, word) for word in container["args"]]


def test_they_were_found() -> None:
    assert [path.name for path in MANIFESTS] == ["intentc-agent.yaml", "intentc-controller.yaml"]
    assert [path.name for path in UNITS] == ["intentc-agent.service", "intentc-run.service"]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_containers_start_what_there_is(path: Path) -> None:
    found = container(path)
    said = options(filled(found))
    host, port = said.listen
    for name in ("livenessProbe", "readinessProbe"):
        probe = found[name]["httpGet"]
        assert probe["port"] == port
        assert probe["path"] in PAGES[found["args"][0]]
        assert probe.get("host", "0.0.0.0") == host  # noqa: S104 -- kubelet asks the address of the pod
    mounts = {entry["mountPath"]: entry["name"] for entry in found["volumeMounts"]}
    assert str(said.state) in mounts, "what the process keeps lies on a volume"
    volumes = one(path, "DaemonSet", "Deployment")["spec"]["template"]["spec"]["volumes"]
    assert sorted(mounts.values()) == sorted(entry["name"] for entry in volumes)


def test_the_agent_reaches_its_vpp_by_the_folder_of_the_socket() -> None:
    path = DEPLOY / "intentc-agent.yaml"
    said = options(filled(container(path)))
    folder = str(Path(said.vpp).parent)
    assert folder in {entry["mountPath"] for entry in container(path)["volumeMounts"]}
    volumes = one(path, "DaemonSet")["spec"]["template"]["spec"]["volumes"]
    assert folder in {entry.get("hostPath", {}).get("path") for entry in volumes}
    assert said.source == "kubernetes"
    assert said.node == GIVEN["NODE_NAME"]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_containers_have_no_more_rights_than_they_need(path: Path) -> None:
    found = container(path)
    security = found["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}
    pod = one(path, "DaemonSet", "Deployment")["spec"]["template"]["spec"]
    profile = {**pod.get("securityContext", {}), **security}["seccompProfile"]
    assert profile == {"type": "RuntimeDefault"}
    assert not any(pod.get(name) for name in ("hostPID", "hostIPC"))
    assert {"memory"} <= found["resources"]["limits"].keys()


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_names_fit_together(path: Path) -> None:
    account, role, binding = one(path, "ServiceAccount"), one(path, "Role"), one(path, "RoleBinding")
    work = one(path, "DaemonSet", "Deployment")
    assert work["spec"]["template"]["spec"]["serviceAccountName"] == account["metadata"]["name"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    names = {key: account["metadata"][key] for key in ("name", "namespace")}
    assert binding["subjects"] == [{"kind": "ServiceAccount", **names}]
    labels = work["spec"]["template"]["metadata"]["labels"]
    assert work["spec"]["selector"]["matchLabels"].items() <= labels.items()
    spaces = {item["metadata"].get("namespace", "intentc-system") for item in documents(path)}
    assert spaces == {"intentc-system"}


def test_rights_name_kinds_that_are_shipped() -> None:
    crds = {
        one(path, "CustomResourceDefinition")["spec"]["names"]["plural"] for path in DEPLOY.glob("crds/*")
    }
    for path in MANIFESTS:
        rules = one(path, "Role")["rules"]
        ours = {name for rule in rules if rule["apiGroups"] == ["intentc.dev"] for name in rule["resources"]}
        assert {name.partition("/")[0] for name in ours} == crds
        verbs = {verb for rule in rules for verb in rule["verbs"]}
        assert "*" not in verbs


COLUMN: Final = re.compile(r'(\.[.\w]+?)(?:\[\?\(@\.type=="(\w+)"\)\]\.status)?')
"""What a column shows: a field, or the status of one of the conditions."""


def test_columns_of_nodes_show_what_there_is() -> None:
    """Nobody complains about a column of nothing; a real API server shows them in tests/real."""
    (version,) = one(DEPLOY / "crds/nodeoverlays.yaml", "CustomResourceDefinition")["spec"]["versions"]
    assert version["subresources"] == {"status": {}}
    told = (ROOT / "docs/agent.md").read_text()
    for column in version["additionalPrinterColumns"]:
        found = COLUMN.fullmatch(column["jsonPath"])
        assert found, column
        at = version["schema"]["openAPIV3Schema"]
        for name in found[1].split(".")[1:]:
            at = {"type": "date"} if name == "creationTimestamp" else at["properties"].get(name, at)
            assert at is not version["schema"]["openAPIV3Schema"], column
        assert at["type"] == ("array" if found[2] else column["type"]), column
        assert found[2] is None or f"| `{found[2]}` |" in told, column


def test_an_agent_can_change_nothing_but_its_word() -> None:
    rules = one(DEPLOY / "intentc-agent.yaml", "Role")["rules"]
    writing = {"create", "update", "patch", "delete", "deletecollection"}
    found = {(name, verb) for rule in rules for name in rule["resources"] for verb in rule["verbs"]}
    assert {pair for pair in found if pair[1] in writing} == {("nodeoverlays/status", "update")}


def directives(path: Path) -> dict[str, list[str]]:
    """Return the directives of a unit."""
    found: dict[str, list[str]] = {}
    text = re.sub(r"\\\n\s*", " ", path.read_text())
    for row in text.splitlines():
        name, equals, value = row.partition("=")
        if equals and not row.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_units_start_what_there_is(path: Path) -> None:
    said = directives(path)
    program, *words = shlex.split(said["ExecStart"][0])
    assert program == "/usr/local/bin/intentc"
    found = options([word.replace("%l", "worker-1") for word in words])
    assert str(found.state).startswith(f"/var/lib/{said['StateDirectory'][0]}")
    assert said["Restart"] == ["always"]
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "ProtectKernelModules"):
        assert said[name] == ["yes"]


def test_an_agent_that_is_stuck_is_started_again_by_systemd() -> None:
    said = directives(DEPLOY / "intentc-agent.service")
    assert said["Type"] == ["notify"]
    found = options(shlex.split(said["ExecStart"][0])[1:])
    assert float(said["WatchdogSec"][0]) >= found.stuck_after


def test_an_agent_that_starts_before_vpp_can_write_beside_its_socket() -> None:
    """What ReadWritePaths names is looked for once: a folder that comes later stays read-only."""
    said = directives(DEPLOY / "intentc-agent.service")
    folder = str(Path(options(shlex.split(said["ExecStart"][0])[1:]).vpp).parent)
    assert said["ReadWritePaths"] == [folder]
    assert said["ExecStartPre"] == [f"+/usr/bin/mkdir -p {folder}"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_systemd_understands_its_units(path: Path, tmp_path: Path) -> None:
    unit = tmp_path / path.name
    unit.write_text(path.read_text().replace("/usr/local/bin/intentc", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], check=False, capture_output=True, text=True
    )
    ours = [row for row in (done.stdout + done.stderr).splitlines() if path.name in row]
    assert ours == []


@pytest.mark.real
@pytest.mark.skipif(bool(real.WHY), reason=real.WHY)
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_an_api_server_takes_them(tmp_path: Path) -> None:
    files = [word for path in MANIFESTS for word in ("--filename", str(path))]
    with real.running(tmp_path) as config:
        command = ["kubectl", "--kubeconfig", str(config), "apply", "--server-side", "--force-conflicts"]
        done = subprocess.run([*command, *files], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert len(done.stdout.splitlines()) == sum(len(documents(path)) for path in MANIFESTS)
