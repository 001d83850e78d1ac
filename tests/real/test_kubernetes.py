"""Our CRDs on a real kube-apiserver: established, shown in columns, strict, and safe from others."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from reconciler.agent.slice import NodeStatus
from reconciler.drivers.base import Lease, PermanentError
from reconciler.drivers.overlay import Overlay
from reconciler.kube import NODES, SLICES, Kube, connect
from reconciler.overlay.encoding import encode
from reconciler.overlay.objects import node_object, slice_object
from reconciler.overlay.rows import NodeId, Row, resources_of, row_of
from reconciler.overlay.source import KubernetesSource
from reconciler.overlay.wait import Patience
from reconciler.plan import plan
from renderers import RULES
from renderers.resource import Key, Resource
from tests.agents import until
from tests.apiserver import real
from tests.overlays import CALICO_BASE, CORE
from tests.support import build

pytestmark = real.MARKS

DEPLOY = Path(__file__).parents[2] / "deploy"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def ask(method: str, path: str, body: Any = None, **headers: str) -> Any:
    return real.ask(real.shared(), method, path, body, **headers)


@pytest.fixture
def space(request: pytest.FixtureRequest) -> str:
    return real.new_namespace(request.node.name)


@pytest.fixture
def kube() -> Iterator[Kube]:
    kube = connect(real.shared())
    yield kube
    kube.close()


def mesh() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the objects of a mesh of ten nodes."""
    encoded = encode(mesh_rows())
    return (
        [node_object(node, part, None) for node, part in encoded.nodes.items()],
        [slice_object(name, piece) for name, piece in encoded.slices.items()],
    )


def mesh_rows() -> dict[NodeId, list[Row]]:
    held = {}
    for at in range(10):
        node = NodeId("east", f"w{at}")
        held[node] = [
            row_of(
                Resource(
                    Key("vpp", node.scope, "policy", f"cafe::{peer}"), {"bsid": f"cafe::{peer}", "n": None}
                )
            )
            for peer in range(10)
            if peer != at
        ]
    return held


@pytest.mark.parametrize("name", ["nodeoverlays", "overlayslices"])
def test_the_crds_are_established(name: str) -> None:
    crd = ask("GET", f"{CRDS}/{name}.intentc.dev")
    conditions = {entry["type"]: entry["status"] for entry in crd["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}  # and not NonStructuralSchema


def test_columns_show_what_an_agent_has_applied(kube: Kube, space: str) -> None:
    nodes, slices = mesh()
    assert slices
    for body in slices:
        kube.create(SLICES, space, body)
    made, *_ = [kube.create(NODES, space, body) for body in nodes]
    condition = {
        "type": "Applied",
        "status": "True",
        "reason": "Done",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    status = {
        "applied": made["spec"]["digest"],
        "revision": "generation 1",
        "drift": 3,
        "conditions": [condition],
    }
    kube.replace(NODES, space, {**made, "status": status}, status=True)
    table = ask("GET", f"/apis/{NODES.api}/namespaces/{space}/{NODES.plural}", Accept=TABLE)
    columns = [column["name"] for column in table["columnDefinitions"]]
    assert columns == [
        "Name",
        "Cluster",
        "Applied",
        "In sync",
        "Drift",
        "Age",
        "Wanted",
        "Has",
        "Revision",
        "Message",
    ]
    (first, second, *_) = [dict(zip(columns, row["cells"], strict=True)) for row in table["rows"]]
    assert (first["Name"], first["Cluster"], first["Applied"], first["Drift"]) == ("w0", "east", "True", 3)
    assert first["Has"] == first["Wanted"]
    assert (second["Applied"], second["Has"]) == (None, None)


def test_objects_come_back_as_they_were_written(kube: Kube, space: str) -> None:
    nodes, slices = mesh()
    for kind, bodies in ((SLICES, slices), (NODES, nodes)):
        for body in bodies:
            kube.create(kind, space, body)
            found = kube.get(kind, space, body["metadata"]["name"])
            assert found
            assert found["spec"] == body["spec"]


def test_a_slice_never_changes(kube: Kube, space: str) -> None:
    _, (body, *_) = mesh()
    made = kube.create(SLICES, space, body)
    made["spec"]["cluster"] = "west"
    with pytest.raises(PermanentError, match="a slice never changes"):
        kube.replace(SLICES, space, made)


def test_a_slice_says_rows_or_parts(kube: Kube, space: str) -> None:
    _, (body, *_) = mesh()
    for spec in ({"cluster": "east"}, {**body["spec"], "parts": ["slice-" + "0" * 32]}):
        with pytest.raises(PermanentError, match="say either sets or parts"):
            kube.create(SLICES, space, {**body, "spec": spec})


def test_a_node_overlay_stays_with_its_node(kube: Kube, space: str) -> None:
    (body, *_), _ = mesh()
    made = kube.create(NODES, space, body)
    for field, words in (("node", "stays with its node"), ("cluster", "stays with its cluster")):
        with pytest.raises(PermanentError, match=words):
            kube.replace(NODES, space, {**made, "spec": {**made["spec"], field: "other"}})


def test_agents_of_calico_vpp_may_read_the_passwords_of_their_neighbours_and_nothing_else() -> None:
    """They list and watch a Secret by its name, as an informer does (their `secret_watcher.go`)."""
    space = "calico-vpp-dataplane"
    ask("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}})
    user = {"Impersonate-User": f"system:serviceaccount:{space}:calico-vpp-node-sa"}
    secrets = f"/api/v1/namespaces/{space}/secrets"

    def allowed(name: str) -> bool:
        said = ask("GET", f"{secrets}?fieldSelector=metadata.name%3D{name}", **user)
        return bool(said["kind"] == "SecretList")

    assert not allowed("bgp")
    found = {item.key.type: item.spec for item in build(*CALICO_BASE).resources(CORE)}
    for kind in ("Role", "RoleBinding"):
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{space}/{kind.lower()}s"
        said = ask("POST", path, found[kind])
        assert said["kind"] == kind, said
    until(lambda: allowed("bgp"))
    asked = {"namespace": space, "verb": "watch", "resource": "secrets", "name": "bgp"}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user["Impersonate-User"], "resourceAttributes": asked},
    }
    said = ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    assert said["status"]["allowed"], said
    assert not allowed("other")
    assert ask("GET", secrets, **user)["reason"] == "Forbidden"


def config_of(folder: Path, token: str) -> Path:
    """Return the kubeconfig of another user."""
    config = json.loads(real.shared().read_text())
    config["users"][0]["user"]["token"] = token
    path = folder / f"{token}.kubeconfig"
    path.write_text(json.dumps(config))
    return path


def may_read(config: Path, space: str) -> bool:
    """Say whether a user may read the object of a node: rights count a moment after they were given."""
    kube = connect(config)
    try:
        kube.get(NODES, space, "w0")
    except PermanentError:
        return False
    finally:
        kube.close()
    return True


def test_the_rights_that_are_shipped_are_those_that_are_needed(tmp_path: Path) -> None:
    space = "intentc-system"
    roles = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{space}"
    for file in ("intentc-agent.yaml", "intentc-controller.yaml"):
        for body in YAML(typ="safe", pure=True).load_all((DEPLOY / file).read_text()):
            if body["kind"] in ("Role", "RoleBinding"):
                said = ask("POST", f"{roles}/{body['kind'].lower()}s", body)
                assert said["kind"] == body["kind"], said
    for token in ("controller", "agent"):
        until(lambda token=token: may_read(config_of(tmp_path, token), space))  # type: ignore[misc]  # bound at once
    controller, agent = config_of(tmp_path, "controller"), config_of(tmp_path, "agent")
    driver = Overlay("nodes", lambda: connect(controller), space, ("east",), Patience(0.1, 0.1))
    lease = Lease("ann", 1.0, 1)
    assert driver.swap_lease(None, lease)
    assert driver.swap_lease(lease, replace(lease, expires=2.0))
    held = {node: list(resources_of(node, rows)) for node, rows in mesh_rows().items()}
    actions = plan(
        {"nodes": [item for items in held.values() for item in items]}, {"nodes": driver.observe()}, RULES
    ).actions
    batch = driver.stage(actions, 1)
    assert {outcome.status for outcome in driver.commit(batch)} == {"done"}
    with pytest.raises(PermanentError, match="has not confirmed it"):
        driver.verify(batch)
    sources = [KubernetesSource(connect(agent), space, node.node, 0.0) for node in held]
    for source in sources:
        found = source.read()
        assert not source.wait(0.1)
        source.report(NodeStatus(found.digest, found.revision, 0, (), reading=found.reading))
    assert driver.verify(batch) == ()
    body = sources[0].kube.get(NODES, space, "w0")
    assert body
    with pytest.raises(PermanentError, match="forbids it"):
        sources[0].kube.replace(NODES, space, {**body, "spec": {**body["spec"], "rows": []}})
    empty = plan({"nodes": []}, {"nodes": driver.observe()}, RULES).actions
    driver.commit(driver.stage(empty, 1))
    for source in sources:
        found = source.read()
        source.report(NodeStatus(found.digest, "", 0, (), reading=found.reading))
        source.close()
    assert driver.verify(driver.stage(empty, 1)) == ()
    assert driver.kube.list(NODES, space).items == []
    driver.close()


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("nobody", r'forbids it: nodeoverlays\.intentc\.dev is forbidden: User "nobody"'),
        ("stranger", "does not know who asks"),
    ],
)
def test_without_rights_it_is_told_what_is_forbidden(
    tmp_path: Path, space: str, token: str, words: str
) -> None:
    kube = connect(config_of(tmp_path, token))
    with pytest.raises(PermanentError, match=words):
        kube.list(NODES, space)
    kube.close()


def test_short_names_and_category(kube: Kube) -> None:
    found = ask("GET", f"/apis/{NODES.api}")["resources"]
    names = {entry["name"]: (entry.get("shortNames"), entry.get("categories")) for entry in found}
    assert names["nodeoverlays"] == (["nov"], ["intentc"])
    assert names["overlayslices"] == (["oslice"], ["intentc"])
    assert "nodeoverlays/status" in names
    assert urllib.parse.urlsplit(kube.host).scheme == "https"
