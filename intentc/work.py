"""Plans for a command: what the reconciler prepares, and in words what stood in its way."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from intent import documents
from intentc.cache import remembering
from intentc.service import user
from intentc.session import Session
from reconciler.drivers import layout
from reconciler.drivers.base import DriverError
from reconciler.prepare import Work
from reconciler.prepare import prepare as prepare_work

if TYPE_CHECKING:
    from reconciler.execute import Applier

__all__ = ["Work", "applier", "prepare", "user"]


def prepare(session: Session) -> Work | None:
    """Render, observe and compare; None, with the reason told, where a target is out of reach."""
    repository, graph = session.repository, session.compiled.graph
    if repository is None or graph is None:
        raise ValueError("a repository that did not compile has no plan")
    try:
        with remembering(session.root, "targets", layout, documents) as memory:
            return prepare_work(repository, graph, session.root, memory)
    except DriverError as error:
        sys.stderr.write(f"intentc: {error}\n")
        return None


def applier(root: Path, work: Work) -> Applier:
    """Return who applies, and where the journal lies: in the state folder of the user."""
    import socket

    from reconciler.execute import Applier
    from reconciler.lease import here
    from reconciler.local import journals

    holder = here(f"{user()}@{socket.gethostname()}")
    return Applier(holder, journals(root, os.environ), redact=work.redact)
