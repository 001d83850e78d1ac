"""Explain a code, a line of intent (what it causes), something rendered (what causes it), or a policy.

intentc explain IC2001                     what a code means, and what to do
intentc explain intent/upf.yaml:14         everything that the line causes
intentc explain VirtualNetwork/upf-n3      everything that the document causes
intentc explain rendered/…/leaf1.conf:30   the lines of intent behind a line of a rendered file
intentc explain 'vpp:node/edge/w1:policy:cafe:1::c780'   the lines behind an object
intentc explain KEY --plan plan.json       what a saved plan does to the object, and why
intentc explain policy NAME                the paths of an SRv6Policy, which are used and why
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from intent.diagnostics import did_you_mean
from intent.model import Origin
from intent.source import dotted
from intentc.causes import Answer, Reason, Unanswered, answer, asked_of, changed
from intentc.codes import explanations
from intentc.plan_text import Line, number
from intentc.review.rows import plain
from intentc.session import Session, add_format, begin, tell
from intentc.terminal import show
from reconciler.plan import Action
from renderers.causes import Trace

_CODE: Final = re.compile(r"IC[0-9]+", re.IGNORECASE)
_SHOWN: Final = 30


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_format(parser)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "what", help="a code, FILE:LINE, the key of an object, KIND/NAME of a document, or policy"
    )
    parser.add_argument("name", nargs="?", help="the SRv6Policy, after policy")
    parser.add_argument("--full", action="store_true", help="leave nothing out")
    parser.add_argument("--plan", type=Path, metavar="FILE", help="ask a saved plan, instead of the intent")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if _CODE.fullmatch(options.what):
        return _code(options.what.upper(), options.format)
    if options.plan:
        return _from_plan(options)
    session = begin(options.root)
    if options.name is not None or options.what == "policy":
        return _policy(options, session)
    if session.repository is None or session.compiled.graph is None:
        tell(session)
        return 1
    intents = (*session.repository.intents, *session.repository.facts, session.repository.project)
    try:
        found = answer(options.what, intents, session.compiled.graph, (Path(), options.root))
    except Unanswered as error:
        sys.stderr.write(f"intentc: {error}\n")
        return 1
    if options.format == "json":
        json.dump(_as_json(found), sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        show(_lines(found, full=options.full))
    return 0


def _policy(options: argparse.Namespace, session: Session) -> int:
    """Explain the paths of a policy; that needs no ledger."""
    resolved = session.compiled.resolved
    if options.what != "policy":
        sys.stderr.write(f"intentc: only a policy has a name behind it, not {options.what!r}\n")
        return 1
    if resolved is None:
        tell(session)
        return 1
    policies = resolved.of("SRv6Policy")
    if options.name is None:
        known = ", ".join(sorted(policies)) or "there is none"
        sys.stderr.write(f"intentc: say which SRv6Policy: {known}\n")
        return 1
    if options.name not in policies:
        hint = did_you_mean(options.name, policies)
        sys.stderr.write(f"intentc: no SRv6Policy is called {options.name!r}{'; ' + hint if hint else ''}\n")
        return 1
    from intentc.policy_view import lines, view

    seen = view(options.name, resolved)
    if options.format == "json":
        json.dump(seen, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        show(lines(seen, full=options.full))
    return 0


def _code(code: str, form: str) -> int:
    known = explanations()
    if code not in known:
        hint = did_you_mean(code, known)
        sys.stderr.write(f"intentc: no diagnostic is called {code!r}{'; ' + hint if hint else ''}\n")
        return 1
    if form == "json":
        json.dump({"code": code, "text": known[code]}, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        sys.stdout.write(known[code])
    return 0


def _from_plan(options: argparse.Namespace) -> int:
    """Explain the actions of a saved plan: on an object, or because of a line of intent."""
    from intentc.saved import load

    bound = load(options.plan)
    if bound is None:
        return 1
    found = asked_of(bound.plan, options.what, options.root)
    if not found:
        sys.stderr.write(f"intentc: {options.plan} does nothing to, or because of, {options.what!r}\n")
        return 1
    if options.format == "json":
        json.dump([_action_as_json(action) for action in found], sys.stdout, indent=2)
        sys.stdout.write("\n")
        return 0
    for action in found:
        level, reason = action.impact
        show([Line(f"{action.operation} {action.key} of target {action.target}", "bold")])
        show([Line(f"  {action.reason}"), Line(f"  {level}: {reason}")])
        if action.before and action.after:
            show(Line(f"  {plain(row)}") for row in map(changed, action.changes))
        show(_origins(action.resource.origins))
    return 0


def _action_as_json(action: Action) -> dict[str, Any]:
    return {
        "target": action.target,
        "key": action.key._asdict(),
        "operation": action.operation,
        "reason": action.reason,
        "impact": action.impact._asdict(),
        "origins": [_origin(origin) for origin in action.resource.origins],
    }


def _lines(found: Answer, *, full: bool) -> Iterator[Line]:
    yield Line(found.about, "bold")
    if found.forward:
        yield from _scopes([one for one in found.scopes if not one.around], "causes", full=full)
        yield from _effects(found.causes, "causes", full=full)
        yield from _scopes([one for one in found.scopes if one.around], "is part of what causes", full=full)
        yield from _effects(found.around, "is part of what causes", full=full)
        if not (found.causes or found.around or found.scopes):
            yield Line("  causes nothing that is rendered: it guides checks, or applies to nothing", "dim")
        return
    origins = [origin for cause in found.causes for origin in cause.origins]
    yield from _origins(origins)
    for scope, reasons, _ in found.scopes:
        yield from _origins([origin._replace(field=f"{scope}, and all that is in it") for origin in reasons])
    if not (origins or found.scopes):
        yield Line("  no line of intent is known to cause it", "dim")


def _scopes(reasons: Iterable[Reason], words: str, *, full: bool) -> Iterator[Line]:
    """Name the scopes that are there for the same rules, and with them all that they hold."""
    alike: dict[str, list[str]] = {}
    for scope, origins, _ in reasons:
        rules = ", ".join(dict.fromkeys(origin.rule for origin in origins if origin.rule))
        alike.setdefault(rules, []).append(str(scope))
    for rules, names in alike.items():
        shown = names if full else names[:_SHOWN]
        rest = f" and {len(names) - len(shown):,} more" if len(shown) < len(names) else ""
        noun = "scope" if len(names) == 1 else "scopes"
        yield Line(f"  {words} the {noun} {', '.join(shown)}{rest}{f'   ({rules})' if rules else ''}")


def _effects(causes: tuple[Trace, ...], words: str, *, full: bool) -> Iterator[Line]:
    if not causes:
        return
    yield Line(f"  {words} {number(len(causes), 'object')}:")
    shown = causes if full else causes[:_SHOWN]
    for scope, group in groupby(
        shown, key=lambda cause: f"{cause.resource.key.family} {cause.resource.key.scope}"
    ):
        yield Line(f"    {scope}", "cyan")
        for cause in group:
            view = "  (view)" if cause.resource.view else ""
            yield Line(f"      {cause.resource.key.type} {cause.resource.key.name}{view}")
            for field, rules in _fields(cause.origins):
                yield Line(f"          {field}{'   ' + rules if rules else ''}", "dim")
    if len(shown) < len(causes):
        yield Line(f"    … and {len(causes) - len(shown):,} more (--full shows all)", "dim")


def _fields(origins: Iterable[Origin]) -> Iterator[tuple[str, str]]:
    """Yield each field once, with the rules that lead to it; the object as a whole needs no line."""
    rules: dict[str, dict[str, None]] = {}
    for origin in origins:
        if origin.field or origin.rule:
            rules.setdefault(origin.field or "as a whole", {})[origin.rule] = None
    for field, said in rules.items():
        words = ", ".join(filter(None, said))
        yield field, f"({words})" if words else ""


def _origins(origins: Iterable[Origin]) -> Iterator[Line]:
    rows: dict[tuple[str, str], None] = {}
    for origin in origins:
        path = dotted(origin.path)
        what = f"{path} of {origin.subject}" if path else origin.subject
        rule = f"   ({origin.rule})" if origin.rule else ""
        rows[origin.field or "as a whole", f"{origin.span}  {what}{rule}"] = None
    for field, group in groupby(sorted(rows, key=lambda row: row[0]), key=lambda row: row[0]):
        yield Line(f"  {field}", "cyan")
        yield from (Line(f"      {text}") for _, text in group)


def _as_json(found: Answer) -> dict[str, Any]:
    def causes(entries: tuple[Trace, ...]) -> list[dict[str, Any]]:
        return [
            {
                "key": cause.resource.key._asdict(),
                "subject": cause.resource.subject,
                "origins": list(map(_origin, cause.origins)),
            }
            for cause in entries
        ]

    name = "causes" if found.forward else "caused_by"
    around = {"around": causes(found.around)} if found.forward else {}
    scopes = [
        {"scope": str(scope), "around": wider, "origins": list(map(_origin, origins))}
        for scope, origins, wider in found.scopes
    ]
    return {"about": found.about, name: causes(found.causes), **around, "scopes": scopes}


def _origin(origin: Origin) -> dict[str, Any]:
    return {
        "field": origin.field,
        "at": str(origin.span),
        "document": origin.subject,
        "path": list(origin.path),
        "rule": origin.rule,
    }
