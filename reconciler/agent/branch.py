"""The slice of a node from a branch of a git remote: of intent, or of rendered files, as the head has it.

A commit of intent is compiled, and this node's scope alone is lowered and rendered. Both kinds of commits
have to pass the gates of `intentc run`: history, and the signatures that the commit before asks for (one of
rendered files asks for none). The last one that passed is kept by the clone, so an agent that starts without
its remote, or with a bad head, goes on with that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from threading import Event
from typing import ClassVar, Final

from intent.repository import PROJECT_FILE
from intent.source import Source
from reconciler.agent.accept import FAMILIES, is_of
from reconciler.agent.rendered import EMPTY, folder_of, places, slice_of
from reconciler.agent.slice import NodeStatus, Slice
from reconciler.drivers.base import PermanentError, TransientError
from reconciler.git import Commit, GitError, named, open_commit
from reconciler.gitops.clone import Clone, fetch, follows, has, keep, kept, recover
from reconciler.gitops.commit import Bad, Candidate, Refused, Terms, admit, compiled
from renderers import render

_NAMED: Final = 3
"""So many diagnostics of a commit are told."""


@dataclass(slots=True)
class GitSource:
    """A branch."""

    longest: ClassVar[float] = 900.0  # a first fetch may take minutes, and so may compiling
    clone: Clone
    terms: Terms
    node: str
    by_bgp: bool = False
    """Whether policies of rendered files come by BGP; intent says it itself."""
    interval: float = 30.0
    """Seconds between two looks at the remote."""
    closed: Event = field(default_factory=Event)
    commit: str = ""
    """The commit of the slice."""
    slice: Slice | None = None
    asked: bool = False
    """Whether the remote was asked at the last reading."""
    waited: float = 0.0
    """Seconds since then."""

    def __post_init__(self) -> None:
        """Clear away what a kill left; the state folder is this process's own."""
        recover(self.clone)

    def read(self) -> Slice:
        """Return the slice of the head; at first that of the last good commit, which needs no remote."""
        self.asked, self.waited = True, 0.0
        with _classified():
            accepted = kept(self.clone, "accepted")
            if self.slice is None and accepted:
                with suppress(PermanentError):  # the head may be better
                    found, self.asked = self._take(accepted), False
                    return replace(found, remembered=True)
            head = fetch(self.clone)
            if head is None:
                raise TransientError(f"the remote has no branch {self.clone.branch}")
            if self.slice is not None and head == self.commit:
                return self.slice
            self._judge(accepted, head)
            found = self._take(head)
            keep(self.clone, "accepted", head)
            return found

    def wait(self, seconds: float) -> bool:
        """Wait until the remote is to be asked again; it is asked at once after what the clone remembers."""
        if self.slice is not None and not self.asked:
            return not self.closed.is_set()
        seconds = min(seconds, self.interval - self.waited)
        self.closed.wait(seconds)
        self.waited += seconds
        return self.waited >= self.interval and not self.closed.is_set()

    def report(self, status: NodeStatus) -> None:
        """Keep no reports: the branch is only read."""

    def close(self) -> None:
        """End a wait."""
        self.closed.set()

    def _judge(self, accepted: str, head: str) -> None:
        """Raise PermanentError where a head may not follow what was accepted."""
        base = accepted or self.terms.trust
        if not base or not has(self.clone, base) or self._is_intent(base):
            passed = admit(self.clone, accepted, head, self.terms)
            if isinstance(passed, Refused):
                raise PermanentError("; ".join((passed.why, *passed.details[:_NAMED])))
        elif head != self.terms.rewrite and not follows(self.clone, head, base):
            why = f"commit {head[:12]} does not follow {base[:12]} (a force-push)"
            raise PermanentError(f"{why}; if that is meant, name it: --accept-rewrite {head}")

    def _is_intent(self, commit: str) -> bool:
        """Say whether a commit holds intent; what does not says nothing about signatures either."""
        return PROJECT_FILE in open_commit(self.clone.folder, commit, folder=self.terms.folder).blobs

    def _take(self, commit: str) -> Slice:
        files = open_commit(self.clone.folder, commit, folder=self.terms.folder)
        found = self._compiled(commit) if PROJECT_FILE in files.blobs else self._rendered(files)
        self.slice, self.commit = found, commit
        return found

    def _compiled(self, commit: str) -> Slice:
        """Compile a commit, and render the scope of the node."""
        candidate = compiled(self.clone, commit, self.terms.folder)
        if isinstance(candidate, Bad):
            errors = [entry for entry in candidate.found if entry.severity == "error"]
            lines = [f"{entry.span}: {entry.code}: {entry.message}" for entry in errors[:_NAMED]]
            more = [f"and {len(errors) - _NAMED} more"] if len(errors) > _NAMED else []
            words = "; ".join([candidate.broken, *lines, *more] if candidate.broken else [*lines, *more])
            raise PermanentError(f"commit {commit[:12]} does not compile: {words}")
        return slice_in(candidate, self.node)

    def _rendered(self, files: Commit) -> Slice:
        """Read the files of the node."""
        matching = {
            path for path in files.blobs if named(path, [f"{place}/*" for place in places(self.node)])
        }
        wanted = sorted(path for path in matching if not _hidden(path))
        folder_of(self.node, (path.rpartition("/")[0] for path in wanted))
        raw = {}
        for path in wanted:
            source = files.read(path)
            if not isinstance(source, Source):
                raise PermanentError(f"{path} of commit {files.revision[:12]} cannot be read")
            raw[path] = source.text.encode()
        return slice_of(raw, files.revision, by_bgp=self.by_bgp)


def slice_in(candidate: Candidate, node: str) -> Slice:
    """Return the slice of a node of a repository that compiles; PermanentError where it has no such node."""
    graph = candidate.graph
    scopes = [scope for scope in graph.scopes if is_of(str(scope), node)]
    if len(scopes) != 1:
        resolved = graph.allocated.resolved
        name = node.rpartition("/")[2]
        if not scopes and "/" not in node and name in resolved.servers:
            return Slice((), candidate.commit, emptied=True)
        if scopes:
            several = ", ".join(scope.name for scope in scopes)
            raise PermanentError(f"there are several nodes {node}: {several}; say --node CLUSTER/NODE")
        names = [scope.name for scope in graph.scopes if scope.kind == "node"]
        near = get_close_matches(node, [*names, *resolved.servers], 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise PermanentError(f"commit {candidate.commit[:12]} has no node {node}{hint}")
    (scope,) = scopes
    found = tuple(item for item in render(graph, scopes) if item.key.family in FAMILIES and not item.view)
    cluster = graph.allocated.resolved.clusters[scope.name.partition("/")[0]]
    by_bgp = cluster.spec.control_plane == "bgp"
    return Slice(found, candidate.commit, policies_by_bgp=by_bgp, emptied=not found)


def _hidden(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.startswith(".") and name != EMPTY


@contextmanager
def _classified() -> Iterator[None]:
    """Tell what git refuses in the words of a source: it may be better the next time."""
    try:
        yield
    except GitError as error:
        raise TransientError(str(error)) from error
