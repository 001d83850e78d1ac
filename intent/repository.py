"""A repository of intent: `intentc.yaml` and the files that it names, read once and validated.

The only reader of a user's files; everything after works on the `Repository` value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from intent.diagnostics import Report, did_you_mean
from intent.kinds.project import ProjectSpec
from intent.load import load
from intent.model import Intent
from intent.source import Source, Span, Unreadable, read, read_file

PROJECT_FILE: Final = "intentc.yaml"


@dataclass(frozen=True, slots=True)
class Repository:
    """Everything that was read: the project, the intents, the facts, and the text of the ledger."""

    root: Path
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


def open_repository(
    root: Path, report: Report, base: Path | None = None
) -> tuple[Repository | None, Mapping[str, str]]:
    """Read the repository at `root`; return it (None where its project is unusable) and the texts that were read.

    `base`: the folder that shown file names are relative to.
    """
    source = read_file(root / PROJECT_FILE, root, base)
    if isinstance(source, Unreadable):
        if (root / PROJECT_FILE).exists():
            _refuse(source, report)
        else:
            report.error(
                "IC1030",
                Span(source.file),
                "there is no intentc.yaml here",
                "run intentc in the root of a repository, or make one with `intentc init`",
            )
        return None, {}
    texts = {source.file: source.text}
    documents = load([source], report)
    if report.failed:
        return None, texts
    projects = [intent for intent in documents if intent.kind == "Project"]
    if len(projects) != 1 or len(documents) != 1:
        report.error(
            "IC1031", Span(source.file), "intentc.yaml must hold exactly one document, of kind Project"
        )
        return None, texts
    spec: ProjectSpec = projects[0].spec
    sources = [*_readable(read(root, (*spec.intent, *spec.facts), base), {source.file}, report)]
    texts |= {entry.file: entry.text for entry in sources}
    loaded = load(sources, report)
    for intent in loaded:
        if intent.kind == "Project":
            report.error(
                "IC1032",
                intent.span("kind"),
                "a Project belongs into intentc.yaml in the root of the repository",
            )
    if not sources:
        report.warning(
            "IC1033",
            projects[0].span("spec", "intent"),
            "no file matches the patterns of intent: " + ", ".join(spec.intent),
            did_you_mean("intent", [entry.name for entry in root.iterdir() if entry.is_dir()]),
        )
    ledger = _ledger(root, spec.ledger, base, report)
    texts[ledger.file] = ledger.text
    intents = tuple(intent for intent in loaded if intent.kind not in ("Project", "Facts"))
    facts = tuple(intent for intent in loaded if intent.kind == "Facts")
    return Repository(root, projects[0], intents, facts, ledger, texts), texts


def _readable(entries: list[Source | Unreadable], known: set[str], report: Report) -> list[Source]:
    sources = []
    for entry in entries:
        if isinstance(entry, Unreadable):
            _refuse(entry, report)
        elif entry.file not in known:
            sources.append(entry)
    return sources


def _ledger(root: Path, name: str, base: Path | None, report: Report) -> Source:
    entry = read_file(root / name, root, base)
    if isinstance(entry, Source):
        return entry
    if (root / name).exists() or (root / name).is_symlink():
        _refuse(entry, report)
    return Source(entry.file, "")


def _refuse(entry: Unreadable, report: Report) -> None:
    report.error(entry.code, Span(entry.file), entry.why, entry.hint)
