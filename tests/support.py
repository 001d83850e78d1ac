"""What many tests need: intent as text, compiled with a ledger that is drawn on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from compiler.graph import Scope
from compiler.ledger.allocate import update
from compiler.ledger.leases import parse_ledger, write_ledger
from compiler.passes import Compiled, check_intent, compile_intent
from intent.diagnostics import Diagnostic, Report, as_text
from intent.load import load
from intent.model import Intent
from intent.source import Source
from renderers import render
from renderers.resource import Resource

HEAD = "apiVersion: intentc.dev/v1alpha1\n"
PROJECT = HEAD + "kind: Project\nmetadata:\n  name: test\nspec: {}\n"


@dataclass(frozen=True, slots=True)
class Built:
    """A compile with all that tests look at."""

    compiled: Compiled
    diagnostics: tuple[Diagnostic, ...]
    texts: dict[str, str]
    ledger: str

    @property
    def codes(self) -> list[str]:
        """Codes of errors, in order."""
        return [entry.code for entry in self.diagnostics if entry.severity == "error"]

    @property
    def warnings(self) -> list[str]:
        """Codes of warnings, in order."""
        return [entry.code for entry in self.diagnostics if entry.severity == "warning"]

    def __str__(self) -> str:
        """Write the diagnostics as the user sees them."""
        return as_text(self.diagnostics, self.texts)

    def resources(self, *scopes: Scope) -> list[Resource]:
        """Render all scopes, or some."""
        assert self.compiled.graph is not None, str(self)
        return list(render(self.compiled.graph, scopes or None))


def documents(*texts: str) -> str:
    """Join documents; `apiVersion` is added where it is missing."""
    return "---\n".join(text if text.startswith("apiVersion") else HEAD + text for text in texts)


def build(*texts: str, ledger: str | None = None, project: str = PROJECT) -> Built:
    """Compile documents (YAML without the apiVersion line); without a ledger, one is drawn first."""
    report = Report()
    source = Source("intent.yaml", documents(*texts))
    loaded = load([source], report)
    (root,) = load([Source("intentc.yaml", project)], report)
    facts = [intent for intent in loaded if intent.kind == "Facts"]
    intents = [intent for intent in loaded if intent.kind != "Facts"]
    shown = {"intent.yaml": source.text, "intentc.yaml": project}
    if report.failed:
        return Built(Compiled(), tuple(report.sorted()), shown, "")
    text = draw(root, intents, facts) if ledger is None else ledger
    compiled = compile_intent(root, intents, facts, Source("intentc.lock", text), report)
    return Built(compiled, tuple(report.sorted()), shown | {"intentc.lock": text}, text)


def draw(project: Intent, intents: Iterable[Intent], facts: Iterable[Intent], ledger: str = "") -> str:
    """Return the ledger that `intentc ledger update` would write."""
    report = Report()
    resolved = check_intent(project, list(intents), list(facts), report)
    if resolved is None:
        return ""
    return write_ledger(update(resolved, parse_ledger(Source("intentc.lock", ledger), report), None, report))
