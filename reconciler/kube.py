"""The Kubernetes API, as far as it is needed here: plain objects, versions, watches, errors in words.

Of the Kubernetes client only the configuration and the connections are used (kubeconfig, service account,
TLS, tokens that are renewed); paths and JSON are plain. Invariant: every request has a time limit, nothing is
tried twice in here, and whatever goes wrong is a TransientError or a PermanentError that says what to do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from reconciler.drivers.base import PermanentError, TransientError

Object = dict[str, Any]
"""One object of the API."""

PAGE: Final = 250
"""Objects in one answer to a list."""
_METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_SLACK: Final = 5.0
"""Seconds that a server may take longer than it was told to end a watch."""


class Conflict(TransientError):  # noqa: N818 -- a state of the object
    """Somebody else wrote the object first, or has made it already."""


class Expired(TransientError):  # noqa: N818 -- a state of the version
    """The server does not keep the version any more that was asked from: list again (410)."""


class _AbsentError(PermanentError):
    """There is no such object."""


_STATES: Final = {HTTPStatus.CONFLICT: Conflict, HTTPStatus.GONE: Expired}
_WORDS: Final = {
    HTTPStatus.UNAUTHORIZED: ("does not know who asks", False),
    HTTPStatus.FORBIDDEN: ("forbids it", False),
    HTTPStatus.TOO_MANY_REQUESTS: ("is busy", True),
    HTTPStatus.REQUEST_TIMEOUT: ("is busy", True),
}
"""What other answers mean, and whether the same may succeed later."""


class Kind(NamedTuple):
    """A kind of objects in a namespace."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api(self) -> str:
        """What objects say as their apiVersion."""
        return f"{self.group}/{self.version}"


LEASES: Final = Kind("coordination.k8s.io", "v1", "leases", "Lease")
NODES: Final = Kind("intentc.dev", "v1alpha1", "nodeoverlays", "NodeOverlay")
SLICES: Final = Kind("intentc.dev", "v1alpha1", "overlayslices", "OverlaySlice")


class Listing(NamedTuple):
    """Objects, and the version of the whole that a watch can go on from."""

    items: list[Object]
    version: str


class Event(NamedTuple):
    """Something that a watch tells."""

    type: str
    """ADDED, MODIFIED, DELETED or BOOKMARK."""
    object: Object


class Watch:
    """A stream of events; it can be closed from any thread."""

    def __init__(self, response: Any, failed: tuple[type[Exception], ...], where: str) -> None:
        """Take an answer whose lines are events."""
        self._response = response
        self._failed = failed
        self._where = where
        self._closed = False

    def __iter__(self) -> Iterator[Event]:
        """Yield events until the server ends the stream, or it is closed; Expired, TransientError."""
        rest = b""
        try:
            for chunk in self._response.stream(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    yield self._event(line)
        except self._failed as error:
            if not self._closed:
                raise TransientError(f"the watch of {self._where} broke off: {error}") from error
        finally:
            self._response.close()

    def close(self) -> None:
        """End it; whoever waits for an event waits no longer."""
        self._closed = True
        with suppress(Exception):  # it may have ended by itself
            self._response.shutdown()

    def _event(self, line: bytes) -> Event:
        said = _json(line, self._where)
        if said["type"] != "ERROR":
            return Event(said["type"], said["object"])
        status = said["object"]
        words = f"the watch of {self._where} ended: {status.get('message', status)}"
        raise (Expired if status.get("code") == HTTPStatus.GONE else TransientError)(words)


@dataclass(slots=True)
class Kube:
    """One API server; its methods may be called from any thread."""

    host: str
    client: Any = field(repr=False)
    """ApiClient of the Kubernetes package."""
    timeout: float = 10.0
    """Seconds for one request."""
    requests: int = 0
    """How many were sent."""
    sent: int = 0
    received: int = 0
    """Bytes of bodies."""
    _lock: Lock = field(default_factory=Lock, repr=False)

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return an object; None where there is none."""
        try:
            return self._ask("GET", _path(kind, namespace, name), kind)
        except _AbsentError:
            return None

    def list(self, kind: Kind, namespace: str, *, metadata: bool = False) -> Listing:
        """Return all objects of a namespace, page by page; of each only its metadata, if that is enough."""
        items: list[Object] = []
        query = {"limit": str(PAGE)}
        while True:
            answer = self._ask("GET", _path(kind, namespace), kind, query=query, metadata=metadata)
            items += answer["items"] or ()  # null, where there is nothing but metadata to tell of
            token = answer["metadata"].get("continue")
            if not token:
                return Listing(items, answer["metadata"]["resourceVersion"])
            query["continue"] = token

    def create(self, kind: Kind, namespace: str, body: Object) -> Object:
        """Make an object; Conflict where it exists."""
        return self._ask("POST", _path(kind, namespace), kind, body)

    def replace(self, kind: Kind, namespace: str, body: Object, *, status: bool = False) -> Object:
        """Write an object (or its status) over the version that it was read in; Conflict where it changed."""
        name = body["metadata"]["name"]
        if not body["metadata"].get("resourceVersion"):
            raise ValueError(f"{name} without its version would be written over whatever is there")
        try:
            return self._ask("PUT", _path(kind, namespace, name) + "/status" * status, kind, body)
        except _AbsentError as error:
            raise Conflict(f"{kind.kind} {name} is gone") from error

    def delete(self, kind: Kind, namespace: str, body: Object) -> None:
        """Delete an object as it was read; absent is done, Conflict where it changed since."""
        metadata = body["metadata"]
        wanted = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        with suppress(_AbsentError):
            self._ask("DELETE", _path(kind, namespace, metadata["name"]), kind, {"preconditions": wanted})

    def watch(self, kind: Kind, namespace: str, version: str, seconds: int, name: str = "") -> Watch:
        """Begin a watch, of one object or of all, from a version on; it ends after so many seconds."""
        query = {
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(seconds),
        }
        if name:
            query["fieldSelector"] = f"metadata.name={name}"
        response = self._send("GET", _path(kind, namespace), query=query, seconds=seconds + _SLACK)
        if response.status != HTTPStatus.OK:
            try:
                raise self._error(response, response.read(), kind)
            except _failures() as error:
                raise self._unreachable(error) from error
            finally:
                response.close()
        return Watch(response, _failures(), f"{kind.plural} at {self.host}")

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def _ask(
        self,
        method: str,
        path: str,
        kind: Kind,
        body: Object | None = None,
        *,
        query: Mapping[str, str] | None = None,
        metadata: bool = False,
    ) -> Object:
        response = self._send(method, path, body, query=query, accept=_METADATA if metadata else "")
        try:
            text = response.read()
        except _failures() as error:
            raise self._unreachable(error) from error
        finally:
            response.release_conn()
        with self._lock:
            self.received += len(text)
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise self._error(response, text, kind)
        return _json(text, self.host)

    def _send(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        query: Mapping[str, str] | None = None,
        seconds: float | None = None,
        accept: str = "",
    ) -> Any:
        from urllib3 import Timeout  # noqa: PLC0415 -- comes with the Kubernetes package

        headers = {"Accept": accept or "application/json", "User-Agent": "intentc"}
        for setting in self.client.configuration.auth_settings().values():
            headers[setting["key"]] = setting["value"]
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body, separators=(",", ":")).encode()
        with self._lock:
            self.requests += 1
            self.sent += len(data or b"")
        try:
            return self.client.rest_client.pool_manager.request(
                method,
                f"{self.host}{path}?{urlencode(query)}" if query else f"{self.host}{path}",
                body=data,
                headers=headers,
                timeout=Timeout(connect=self.timeout, read=seconds or self.timeout),
                retries=False,
                preload_content=False,
            )
        except _failures() as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> TransientError:
        return TransientError(f"the Kubernetes API at {self.host} cannot be reached: {error}")

    def _error(self, response: Any, text: bytes, kind: Kind) -> Exception:
        """Return what an answer with an error means."""
        said: Object = {}
        with suppress(ValueError):
            said = json.loads(text)
        why = said.get("message") or text.decode(errors="replace").strip()[:500] or response.reason
        status = response.status
        if status == HTTPStatus.NOT_FOUND:
            if (said.get("details") or {}).get("name"):
                return _AbsentError(why)
            words = f"the Kubernetes API at {self.host} knows no {kind.plural}.{kind.group}"
            return PermanentError(f"{words}; run: kubectl apply -f deploy/crds")
        if status in _STATES:
            return _STATES[status](why)
        verb, passing = _WORDS.get(status, ("refuses it", False))
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            verb, passing = "failed", True
        words = f"the Kubernetes API at {self.host} {verb}: {why}"
        return TransientError(words) if passing else PermanentError(words)


def connect(kubeconfig: Path | None = None, context: str | None = None, timeout: float = 10.0) -> Kube:
    """Return the API server of a kubeconfig; without one, that of the pod, or of the usual kubeconfig."""
    import kubernetes
    from kubernetes.config.config_exception import ConfigException

    settings = kubernetes.client.Configuration()
    config: Any = kubernetes.config  # its functions have no types
    try:
        if kubeconfig is None and context is None:
            try:
                config.load_incluster_config(client_configuration=settings)
            except ConfigException:
                config.load_kube_config(client_configuration=settings, persist_config=False)
        else:
            path = str(kubeconfig) if kubeconfig else None
            config.load_kube_config(path, context, settings, persist_config=False)
    except Exception as error:
        named = kubeconfig or "that KUBECONFIG names, or ~/.kube/config"
        raise PermanentError(f"cannot use the kubeconfig {named}: {error}") from error
    return Kube(settings.host.rstrip("/"), kubernetes.client.ApiClient(settings), timeout)


def _json(text: bytes, where: str) -> Object:
    """Return what was answered; TransientError where it is none, as from a proxy in between."""
    try:
        answer: Object = json.loads(text)
    except ValueError as error:
        words = text.decode(errors="replace").strip()[:200]
        raise TransientError(f"{where} answers what is no JSON: {words}") from error
    return answer


def _path(kind: Kind, namespace: str, name: str = "") -> str:
    where = f"/apis/{kind.group}/{kind.version}/namespaces/{quote(namespace, safe='')}/{kind.plural}"
    return f"{where}/{quote(name, safe='')}" if name else where


def _failures() -> tuple[type[Exception], ...]:
    """Return what the connections raise where the server is away."""
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 -- comes with the Kubernetes package

    return (HTTPError, OSError)
