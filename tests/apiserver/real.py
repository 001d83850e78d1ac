"""A real kube-apiserver with its etcd, for the tests that have one.

INTENTC_KUBE_APISERVER and INTENTC_ETCD name the programs where they are not on the path.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from urllib3.exceptions import HTTPError

from reconciler.kube import connect
from tests.apiserver.server import CRDS, kubeconfig
from tests.ports import free_port

APISERVER = os.environ.get("INTENTC_KUBE_APISERVER") or shutil.which("kube-apiserver")
ETCD = os.environ.get("INTENTC_ETCD") or shutil.which("etcd")
_MISSING = [name for name, path in (("kube-apiserver", APISERVER), ("etcd", ETCD)) if not path]
WHY = (
    f"no {' and no '.join(_MISSING)} here: name the programs in INTENTC_KUBE_APISERVER and INTENTC_ETCD"
    if _MISSING
    else ""
    if shutil.which("ssh-keygen")
    else "no ssh-keygen here, which makes a key for kube-apiserver"
)
"""Why there is no real API server; empty where there is one."""

MARKS = [
    pytest.mark.real,
    pytest.mark.skipif(bool(WHY), reason=WHY),
]


@contextmanager
def running(folder: Path) -> Iterator[Path]:
    """Run etcd and kube-apiserver with our CRDs; give a kubeconfig of an administrator."""
    client, peer, secure = free_port(), free_port(), free_port()
    users = ["secret,admin,admin,system:masters", "nobody,nobody,nobody"]
    users += [
        f"{name},system:serviceaccount:intentc-system:intentc-{name},{name}"
        for name in ("agent", "controller")
    ]
    (folder / "tokens").write_text("\n".join(users) + "\n")
    key = str(folder / "key")
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-m", "PEM", "-N", "", "-f", key], check=True)
    etcd = [
        f"--data-dir={folder}/etcd",
        f"--listen-client-urls=http://127.0.0.1:{client}",
        f"--advertise-client-urls=http://127.0.0.1:{client}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
        "--unsafe-no-fsync",
    ]
    server = [
        f"--etcd-servers=http://127.0.0.1:{client}",
        f"--secure-port={secure}",
        "--bind-address=127.0.0.1",
        f"--cert-dir={folder}/certificates",
        "--service-account-issuer=https://intentc.invalid",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--authorization-mode=RBAC",
        f"--token-auth-file={folder}/tokens",
        "--disable-admission-plugins=ServiceAccount",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--watch-cache=true",
    ]
    with _program(ETCD, etcd, folder / "etcd.log"), _program(APISERVER, server, folder / "apiserver.log"):
        yield _prepare(folder, f"https://127.0.0.1:{secure}")


@cache
def shared() -> Path:
    """Return the kubeconfig of a server that lives as long as this process."""
    folder = Path(tempfile.mkdtemp(prefix="intentc-apiserver-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    context = running(folder)
    config = context.__enter__()
    atexit.register(context.__exit__, None, None, None)
    return config


def new_namespace(name: str) -> str:
    """Make a namespace at the shared server, and return its name."""
    name = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:40] + f"-{next(_COUNT)}"
    said = ask(shared(), "POST", "/api/v1/namespaces", _namespace(name))
    assert said["kind"] == "Namespace", said
    return name


def _namespace(name: str) -> Any:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


_COUNT = count()


def ask(config: Path, method: str, path: str, body: Any = None, **headers: str) -> Any:
    """Send one request as the administrator; return the answer, whatever it is."""
    kube = connect(config)
    try:
        pool = kube.client.rest_client.pool_manager
        sent = {"Authorization": "Bearer secret", "Accept": "application/json", **headers}
        answer = pool.request(method, f"{kube.host}{path}", json=body, headers=sent, timeout=60.0)
        return answer.json() if "json" in answer.headers["Content-Type"] else answer.data.decode()
    finally:
        kube.close()


def _prepare(folder: Path, address: str) -> Path:
    """Wait for the server, give it our namespace and our CRDs, and return the kubeconfig."""
    limit = time.monotonic() + 180
    ready: Any = None
    config = folder / "kubeconfig"
    while ready != "ok":
        assert time.monotonic() < limit, (folder / "apiserver.log").read_text()[-2000:]
        authority = folder / "certificates/apiserver.crt"
        with suppress(HTTPError):
            if authority.exists():
                config = kubeconfig(folder, address, authority)
                ready = ask(config, "GET", "/readyz")
        time.sleep(0.2)
    ask(config, "POST", "/api/v1/namespaces", _namespace("intentc-system"))
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for file in sorted(CRDS.glob("*.yaml")):
        body = YAML(typ="safe", pure=True).load(file.read_text())
        said = ask(config, "POST", crds, body)
        assert said["kind"] == "CustomResourceDefinition", said
        name = body["metadata"]["name"]
        while not is_established(ask(config, "GET", f"{crds}/{name}")):
            assert time.monotonic() < limit, name
            time.sleep(0.1)
        path = f"/apis/intentc.dev/v1alpha1/namespaces/intentc-system/{name.partition('.')[0]}"
        while "items" not in ask(config, "GET", path):
            assert time.monotonic() < limit, name
            time.sleep(0.1)
    return config


def is_established(crd: Any) -> bool:
    """Say whether the server serves a kind."""
    conditions = crd.get("status", {}).get("conditions") or ()  # null at first
    return any((entry["type"], entry["status"]) == ("Established", "True") for entry in conditions)


@contextmanager
def _program(path: str | None, options: list[str], log: Path) -> Iterator[None]:
    """Run a program, and what it starts itself."""
    assert path
    with log.open("wb") as out:
        process = subprocess.Popen([path, *options], stdout=out, stderr=out, start_new_session=True)
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)
