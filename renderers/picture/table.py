"""Everything of an intent as rows: documents, and the routers, links and switches inside them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from compiler.resolved import Resolved
from intent.model import Intent
from renderers.picture.leaning import documents, edges
from renderers.picture.model import Mark, Marks, Picture
from renderers.picture.scene import router_id, switch_id
from renderers.picture.svg import element_id, escape
from renderers.picture.text import DASH, natural
from renderers.picture.ties import metric
from renderers.picture.tips import latency, place


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that has a name."""

    kind: str
    name: str
    subject: str
    place: str
    says: str
    needs: int = 0
    """How many documents it leans on."""
    used: int = 0
    """How many documents lean on it."""


def rows(resolved: Resolved) -> Iterator[Row]:
    """Yield the documents by kind and name, then routers, links and switches."""
    leaning = edges(resolved)
    needs, used = Counter(one for one, _ in leaning), Counter(two for _, two in leaning)
    for intent in documents(resolved):
        subject, where = intent.subject, place(intent)
        yield Row(intent.kind, intent.name, subject, where, _gist(intent), needs[subject], used[subject])
    yield from _routers(resolved)
    yield from _links(resolved)
    for (fabric, name), switch in resolved.switches.items():
        where = place(resolved.fabrics[fabric])
        yield Row(switch.role, name, switch_id(resolved, fabric, name), where, f"fabric {fabric}")


def _gist(intent: Intent) -> str:
    """Return what a document says for people, or what tells it from others of its kind."""
    spec = intent.spec
    named = (
        getattr(spec, name, None) for name in ("description", "dataplane", "provider", "site", "zone", "type")
    )
    words = [str(value) for value in named if value]
    words += [f"colour {spec.color}"] if hasattr(spec, "color") else []
    words += [str(subnet.cidr) for subnet in getattr(spec, "subnets", ())]
    addresses = (getattr(spec, name, None) for name in ("ipv4", "ipv6"))
    return " · ".join((*words, *(str(value) for value in addresses if value)))


def _routers(resolved: Resolved) -> Iterator[Row]:
    for name in sorted(resolved.underlay.routers, key=natural):
        router = resolved.underlay.routers[name]
        where = place(*resolved.underlay.router_origin[name])
        drained = " · drained" if router.state == "drain" else ""
        says = f"locator {router.locator} · loopback {router.loopback}{drained}"
        yield Row("router", name, router_id(resolved, name), where, says)


def _links(resolved: Resolved) -> Iterator[Row]:
    for name in sorted(resolved.underlay.links, key=natural):
        link = resolved.underlay.links[name]
        intent, path = resolved.underlay.link_origin[name]
        says = [f"{link.ends[0].at} {DASH} {link.ends[1].at}", f"IGP metric {metric(link)}"]
        says += [latency(link.latency)] if link.latency else []
        says += ["down"] if name in resolved.facts.down else []
        yield Row("link", name, f"{intent.subject}/link/{name}", place(intent, path), " · ".join(says))


def table(resolved: Resolved, marks: Marks, pictures: tuple[Picture, ...]) -> str:
    """Return the rows as an HTML table; each knows the elements of the pictures that show it."""
    shown = _shown(pictures)
    found = [(row, marks.find((row.subject,))) for row in rows(resolved)]
    changed = any(mark for _, mark in found)
    names = ("kind", "name", "place", "says", "leans on", "used by") + ("change",) * changed
    head = "".join(f'<th scope="col"{_NUMBER * name.endswith(("on", "by"))}>{name}</th>' for name in names)
    body = "\n".join(
        _row(row, shown.get(row.subject, ()), mark, f"<td>{mark or ''}</td>" if changed else "")
        for row, mark in found
    )
    whole = f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"
    return f'<section id="part-objects"><h2>Objects ({len(found):,})</h2>{whole}</section>\n'


_NUMBER = ' class="number"'


def _row(row: Row, boxes: tuple[str, ...], mark: Mark | None, change: str) -> str:
    marked = f' class="{mark}"' if mark else ""
    return (
        f'<tr{marked} data-boxes="{" ".join(boxes)}"><td>{row.kind}</td>'
        f'<td><button type="button">{escape(row.name)}</button></td>'
        f'<td class="place">{escape(row.place)}</td><td>{escape(row.says)}</td>'
        f"<td{_NUMBER}>{row.needs or ''}</td><td{_NUMBER}>{row.used or ''}</td>{change}</tr>"
    )


def _shown(pictures: tuple[Picture, ...]) -> dict[str, tuple[str, ...]]:
    """Return the ids of the elements that show each subject."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for picture in pictures:
        for box in picture.boxes:
            for subject in box.subjects:
                found[subject].append(element_id(picture.name, box.id))
        for frame in picture.frames:
            found[frame.subject].append(element_id(picture.name, f"frame/{frame.id}"))
        for line in picture.lines:
            found[line.subject].append(element_id(picture.name, f"line/{line.id}"))
    return {subject: tuple(ids) for subject, ids in found.items() if subject}
