"""A repository of intent: `intentc.yaml` and the files that it names, read once and validated.

The only reader of a user's files; everything after works on the `Repository` value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from intent.diagnostics import Report, closest
from intent.files import Files, Folder, Unreadable
from intent.kinds.project import ProjectSpec
from intent.load import load
from intent.memory import Memory
from intent.model import Intent
from intent.source import FieldPath, Source, Span

PROJECT_FILE: Final = "intentc.yaml"
_FACTS: Final = "move it to the files of intent: who may write facts need not be who says what shall be"


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


def open_repository(
    files: Files, report: Report, memory: Memory | None = None
) -> tuple[Repository | None, Mapping[str, str]]:
    """Read a repository; return it (None where its project is unusable) and the texts read."""
    project, texts = open_project(files, report)
    if project is None:
        return None, texts
    spec: ProjectSpec = project.spec
    sources, only_facts = _sources(files, project, report)
    texts |= {entry.file: entry.text for entry in sources}
    loaded = load(sources, report, memory)
    for intent in loaded:
        if intent.kind == "Project":
            message = "a Project belongs into intentc.yaml in the root of the repository"
            report.error("IC1032", intent.span("kind"), message, "move what it says there")
        elif intent.doc.file in only_facts and intent.kind != "Facts":
            message = f"a file of facts holds a document of kind {intent.kind}"
            report.error("IC1037", intent.span("kind"), message, _FACTS)
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


def _sources(files: Files, project: Intent, report: Report) -> tuple[list[Source], set[str]]:
    """Read the files that the patterns name; return them, and the names of those that only facts name.

    What is not there is never taken for empty.
    """
    entries: dict[str, Source | Unreadable] = {}
    named: dict[str, set[str]] = {"intent": set(), "facts": set()}
    for field, patterns, wanted in _groups(project.spec):
        found = [entry for entry in files.match(patterns) if entry.file != project.doc.file]
        if wanted and not found:
            message = f"no file matches {' or '.join(patterns)}"
            report.error("IC1033", project.span("spec", *field), message, _folder_hint(files))
        entries |= {entry.file: entry for entry in found}
        named[str(field[0])] |= {entry.file for entry in found}
    sources: list[Source] = []
    for _, entry in sorted(entries.items()):
        if isinstance(entry, Unreadable):
            _refuse(entry, report)
        elif _written(entry, report):
            sources.append(entry)
    return sources, named["facts"] - named["intent"]


def _groups(spec: ProjectSpec) -> Iterator[tuple[FieldPath, tuple[str, ...], bool]]:
    """Yield patterns with the field that says them, and whether one of them must match.

    A pattern that somebody wrote out has files, or has lost them; of our own, those of facts may have none.
    """
    for field, patterns in (("intent", spec.intent), ("facts", spec.facts)):
        if field in spec.model_fields_set:
            yield from (((field, index), (pattern,), True) for index, pattern in enumerate(patterns))
        else:
            yield (field,), patterns, field == "intent"


def _folder_hint(files: Files) -> str:
    close = closest("intent", files.folders())
    if close and close != "intent":
        return f"did you mean the folder {close!r}?"
    return "bring the files back, or remove the pattern if it is no longer meant"


def _written(source: Source, report: Report) -> bool:
    """Say whether somebody wrote something into a file; one that lost its content deletes nothing."""
    if source.text.strip():
        return True
    hint = "restore it from git; if it is meant to say nothing, remove it, or write a comment into it"
    report.error("IC1034", Span(source.file, 1, 1), "this file is empty", hint)
    return False


def _ledger(files: Files, name: str, report: Report) -> Source:
    entry = files.read(name)
    if isinstance(entry, Unreadable):
        _refuse(entry, report)
    elif entry is not None and _written(entry, report):
        return entry
    return Source(files.shown(name), "")


def _refuse(entry: Unreadable, report: Report) -> None:
    report.error(entry.code, Span(entry.file, entry.line, entry.column), entry.why, entry.hint)
