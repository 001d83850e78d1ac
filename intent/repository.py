"""A repository of intent: `intentc.yaml` and the files that it names, read once and validated.

The only reader of a user's files; everything after works on the `Repository` value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from intent.diagnostics import Report, closest
from intent.files import Files, Folder, Unreadable
from intent.kinds.project import ProjectSpec
from intent.load import load
from intent.model import Intent
from intent.source import Source, Span

PROJECT_FILE: Final = "intentc.yaml"


@dataclass(frozen=True, slots=True)
class Repository:
    """Everything that was read: the project, the intents, the facts, and the text of the ledger."""

    project: Intent
    intents: tuple[Intent, ...]
    """All documents but Project and Facts, sorted by kind and name."""
    facts: tuple[Intent, ...]
    """Documents of kind Facts."""
    ledger: Source
    """The ledger file; empty text where there is none yet."""
    texts: Mapping[str, str]
    """Text of every file, for excerpts in diagnostics."""

    @property
    def spec(self) -> ProjectSpec:
        """The validated project."""
        spec: ProjectSpec = self.project.spec
        return spec


def open_project(files: Files, report: Report) -> tuple[Intent | None, dict[str, str]]:
    """Read intentc.yaml; return its project (None where it is unusable) and the text read."""
    source = files.read(PROJECT_FILE)
    if source is None:
        span = Span(files.shown(PROJECT_FILE))
        report.error("IC1030", span, "there is no intentc.yaml here", _root_hint(files))
    elif isinstance(source, Unreadable):
        _refuse(source, report)
    else:
        return _project(source, report), {source.file: source.text}
    return None, {}


def open_repository(files: Files, report: Report) -> tuple[Repository | None, Mapping[str, str]]:
    """Read a repository; return it (None where its project is unusable) and the texts read."""
    project, texts = open_project(files, report)
    if project is None:
        return None, texts
    spec: ProjectSpec = project.spec
    sources = _sources(files, project, report)
    texts |= {entry.file: entry.text for entry in sources}
    loaded = load(sources, report)
    for intent in loaded:
        if intent.kind == "Project":
            message = "a Project belongs into intentc.yaml in the root of the repository"
            report.error("IC1032", intent.span("kind"), message, "move what it says there")
    ledger = _ledger(files, spec.ledger, report)
    texts[ledger.file] = ledger.text
    intents = tuple(intent for intent in loaded if intent.kind not in ("Project", "Facts"))
    facts = tuple(intent for intent in loaded if intent.kind == "Facts")
    return Repository(project, intents, facts, ledger, texts), texts


def _root_hint(files: Files) -> str:
    """Say where the root is, when it is a folder around this one."""
    if isinstance(files, Folder):
        for steps, folder in enumerate(files.root.absolute().parents, 1):
            if (folder / PROJECT_FILE).is_file():
                way = files.root / "/".join([".."] * steps)
                return f"the root of the repository is further up: intentc -C {way} …"
    return "run intentc in the root of a repository, or make one with `intentc init`"


def _project(source: Source, report: Report) -> Intent | None:
    """Return the one document of intentc.yaml."""
    documents = load([source], report)
    if report.failed:
        return None
    if len(documents) != 1 or documents[0].kind != "Project":
        kinds = ", ".join(intent.kind for intent in documents) or "no document"
        message = f"intentc.yaml must hold exactly one document, of kind Project; it holds {kinds}"
        report.error("IC1031", Span(source.file), message, "put other documents into the folder intent")
        return None
    return documents[0]


def _sources(files: Files, project: Intent, report: Report) -> list[Source]:
    """Read the files that the patterns of the project name."""
    spec: ProjectSpec = project.spec
    entries = files.match((*spec.intent, *spec.facts))
    if not entries:
        message = f"no file matches the patterns of intent: {', '.join(spec.intent)}"
        close = closest("intent", files.folders())
        hint = f"did you mean the folder {close!r}?" if close and close != "intent" else ""
        report.warning("IC1033", project.span("spec", "intent"), message, hint)
    sources: list[Source] = []
    for entry in entries:
        if isinstance(entry, Unreadable):
            _refuse(entry, report)
        elif entry.file != project.doc.file:
            sources.append(entry)
    return sources


def _ledger(files: Files, name: str, report: Report) -> Source:
    entry = files.read(name)
    if isinstance(entry, Source):
        return entry
    if entry is not None:
        _refuse(entry, report)
    return Source(files.shown(name), "")


def _refuse(entry: Unreadable, report: Report) -> None:
    report.error(entry.code, Span(entry.file), entry.why, entry.hint)
