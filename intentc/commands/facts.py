"""Capture what Calico-VPP nodes announce of themselves into a file of facts, or show the facts in force."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path, PurePosixPath

from compiler.facts import document, gather
from compiler.passes import Compiled
from compiler.resolve.names import resolve
from compiler.resolved import Resolved
from intent.diagnostics import Report, did_you_mean
from intent.files import Folder
from intent.kinds.facts import NodeSids
from intent.kinds.project import Target
from intent.model import Intent
from intent.repository import Repository, open_repository
from intentc.captured import HEAD, Capture, announces, capture, write
from intentc.files import replace_file
from intentc.session import Session, add_format, tell
from reconciler.drivers.base import DriverError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    action = (
        "show: print the facts in force, and where they come from; "
        "capture: ask GoBGP, and write facts/captured-TARGET.yaml"
    )
    parser.add_argument("action", choices=("show", "capture"), help=action)
    parser.add_argument(
        "target", nargs="?", help="capture: target of type gobgp to ask (default: all of them)"
    )
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.target and options.action == "show":
        sys.stderr.write(
            "intentc: a target goes with `facts capture`; `facts show` shows all facts in force\n"
        )
        return 1
    report = Report()
    repository, texts = open_repository(Folder(options.root, Path.cwd()), report)
    session = Session(options.root, report, texts, repository, Compiled())
    if repository is None or report.failed:
        tell(session)
        return 1
    if options.action == "show":
        return _show(session, repository, options.format)
    # Facts are what is asked for: names are resolved without them.
    resolved = resolve(repository.project, repository.intents, (), report)
    if resolved is None or report.failed:
        tell(session)
        return 1
    chosen = _chosen(repository, options.target)
    return max((_capture(session, repository, resolved, target) for target in chosen), default=1)


def _chosen(repository: Repository, name: str | None) -> list[Target]:
    """Return the targets to ask; none, with the reason told, where there are none."""
    known = [target for target in repository.spec.targets if target.type == "gobgp"]
    chosen = [target for target in known if name in (None, target.name)]
    if not known:
        sys.stderr.write("intentc: no target is of type gobgp, so there is nobody to ask\n")
        sys.stderr.write("  hint: add one to spec.targets of intentc.yaml: type, address, clusters\n")
    elif not chosen:
        hint = did_you_mean(name or "", (target.name for target in known))
        sys.stderr.write(
            f"intentc: no target of type gobgp is called {name!r}{'; ' + hint if hint else ''}\n"
        )
    return chosen


def _capture(session: Session, repository: Repository, resolved: Resolved, target: Target) -> int:
    from reconciler.drivers.gobgp.client import Api
    from reconciler.drivers.gobgp.heard import heard

    if not any(announces(resolved.clusters[name]) for name in target.clusters):
        clusters = f"none of its clusters ({', '.join(target.clusters)})"
        sys.stdout.write(f"{target.name}: {clusters} has nodes that announce their SIDs\n")
        return 0
    name = f"captured-{target.name}"
    path = _file(repository, name)
    known = next((item for item in repository.facts if item.name == name), None)
    if path is None or not _ours(session.root / path, known):
        return 1
    before = known.spec.nodes if known else ()
    api = Api(target.address)
    try:
        speaker = api.speaker()
        now = heard(api)
    except DriverError as error:
        sys.stderr.write(f"intentc: {error}; {path} is as it was\n")
        return 1
    finally:
        api.close()
    found = capture(target, resolved, before, now)
    for gap in found.gaps:
        sys.stderr.write(f"intentc: {gap}\n")
    if not found.nodes:
        sys.stderr.write(f"intentc: GoBGP at {target.address} hears of no node; nothing was written\n")
        sys.stderr.write("  hint: `gobgp neighbor` says which sessions are up, and what came over them\n")
        return 1
    source = f"SAFI 73 and unicast, as {speaker.router_id} at {target.address} received them"
    return _write(session.root, path, write(name, source, found.nodes), found)


def _file(repository: Repository, name: str) -> str | None:
    """Return the file of a document of facts; None, with the reason told, where it would not be read."""
    patterns = repository.spec.facts
    for pattern in patterns:
        folder = [step for step in PurePosixPath(pattern).parent.parts if "*" not in step]
        path = PurePosixPath(*folder, f"{name}.yaml")
        if path.match(pattern):
            return str(path)
    sys.stderr.write(f"intentc: no pattern of spec.facts ({', '.join(patterns)}) reads {name}.yaml\n")
    sys.stderr.write("  hint: add facts/*.yaml to spec.facts of intentc.yaml\n")
    return None


def _ours(path: Path, known: Intent | None) -> bool:
    """Say whether a file is ours to write: not there, or written by us, and no other has its facts."""
    if known and Path(known.doc.file).resolve() != path.resolve():
        sys.stderr.write(
            f"intentc: {known.doc.file} holds Facts {known.name!r}, which {path} would say twice\n"
        )
        sys.stderr.write("  hint: remove them there, or give them another name\n")
        return False
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else HEAD
    except (OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"intentc: cannot read {path}: {error}\n")
        return False
    if text.startswith(HEAD):
        return True
    sys.stderr.write(f"intentc: {path} was not written by `intentc facts capture`; it is as it was\n")
    sys.stderr.write("  hint: remove it, or give it another name, if capture shall write it\n")
    return False


def _write(root: Path, path: str, text: str, found: Capture) -> int:
    """Replace the file where it changes, and say what does."""
    for change in found.changes:
        sys.stdout.write(f"{change}\n")
    count = f"{len(found.nodes)} node{'s' if len(found.nodes) > 1 else ''}"
    file = root / path
    if file.exists() and file.read_text(encoding="utf-8") == text:
        sys.stdout.write(f"{path} is up to date: {count}\n")
        return 0
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, text)
    except OSError as error:
        sys.stderr.write(f"intentc: cannot write {path}: {error.strerror}; it is as it was\n")
        return 1
    sys.stdout.write(f"wrote {path}: {count}\n")
    return 0


def _show(session: Session, repository: Repository, form: str) -> int:
    """Print the facts of all files together, and which file says what."""
    facts = gather(repository.facts, session.report)
    tell(session)
    if session.report.failed:
        return 1
    if form == "json":
        places = {key: str(origin.span) for key, origin in facts.origins.items()}
        content = {"facts": document(facts, "facts")["spec"], "places": places, "digest": facts.digest}
        json.dump(content, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return 0
    rows = [
        *((f"node {item.node}", _said(item), f"node/{name}") for name, item in facts.nodes.items()),
        *((f"link {name}", "down", f"link/{name}") for name in sorted(facts.down)),
        *(
            (f"pod {item.namespace}/{item.pod}", f"{item.network} on {item.node}", f"placement/{at}")
            for at, item in enumerate(facts.placements)
        ),
    ]
    for what, said, key in rows:
        sys.stdout.write(f"{what:24} {said}   {facts.origins[key].span}\n")
    for intent in repository.facts:
        if intent.spec.captured:
            sys.stdout.write(f"{intent.doc.file}: {intent.spec.captured}\n")
    if not rows:
        sys.stdout.write("there are no facts\n")
    return 0


def _said(item: NodeSids) -> str:
    words = [str(item.address)]
    words += [f"{name} {sid}" for name, sid in (("dt4", item.dt4), ("dt6", item.dt6)) if sid]
    if item.blocks:
        words.append(f"blocks {' '.join(map(str, item.blocks))}")
    return " ".join(words)
