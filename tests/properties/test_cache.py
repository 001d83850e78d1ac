"""Whatever is edited, and whatever happens to the cache: the result is that of a clean compile."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.generate import networks
from bench.measure import draw
from intentc.session import Session, begin
from intentc.work import prepare
from reconciler.drivers.layout import encode, path_of
from renderers import render
from renderers.resource import Resource

TARGET: Final = "  targets:\n    - {name: tree, type: directory, path: tree}\n"
NETWORKS: Final = "intent/networks1.yaml"

Edit = Callable[[Path, int], None]


@contextmanager
def environment(**names: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(names)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def repository(root: Path) -> None:
    networks(root, 8, sites=2)
    project = root / "intentc.yaml"
    project.write_text(project.read_text() + TARGET)
    draw(root)
    with environment(INTENTC_CACHE="off"):
        write(root, rendered(begin(root)))


def rendered(session: Session) -> list[Resource]:
    return list(render(session.compiled.graph)) if session.compiled.graph else []


def contents(resources: list[Resource]) -> dict[str, bytes]:
    files: dict[str, list[Resource]] = defaultdict(list)
    for resource in resources:
        files[path_of(resource)].append(resource)
    return {path: encode(path, objects) for path, objects in files.items()}


def write(root: Path, resources: list[Resource]) -> None:
    for path, content in contents(resources).items():
        file = root / "tree" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def plain(resource: Resource | None) -> Any:
    if resource is None:
        return None
    causes = [(origin.field, str(origin.span), origin.rule) for origin in resource.origins]
    return (resource.key, resource.spec, resource.subject, resource.needs, resource.view, causes)


def outcome(root: Path) -> Any:
    """Return all that a run finds out, in plain values."""
    session = begin(root)
    places = (
        [list(intent.doc.places()) for intent in session.repository.intents] if session.repository else []
    )
    found = (session.report.sorted(), places)
    if session.compiled.graph is None:
        return found
    work = prepare(session)
    assert work is not None
    actions = [
        (action.id, action.operation, action.phase, action.reason, plain(action.before), plain(action.after))
        for action in work.plan.actions
    ]
    resources = rendered(session)
    seen = {name: (shown.complete, shown.why) for name, shown in work.observed.items()}
    return found, actions, work.plan.unchanged, seen, [*map(plain, resources)], contents(resources)


def change(root: Path, number: int) -> None:
    file = root / NETWORKS
    file.write_text(file.read_text().replace("extendToFabric: true", f"mtu: {1500 + number}", 1))


def shift(root: Path, number: int) -> None:
    file = root / NETWORKS
    file.write_text("\n# moved down\n" * (number % 5) + file.read_text())


def shuffle(root: Path, number: int) -> None:
    file = root / NETWORKS
    documents = file.read_text().removeprefix("---\n").split("\n---\n")
    turn = number % len(documents)
    file.write_text("\n---\n".join(text.strip("\n") for text in documents[turn:] + documents[:turn]) + "\n")


def remove(root: Path, number: int) -> None:
    file = root / NETWORKS
    documents = file.read_text().split("\n---\n")
    del documents[number % len(documents)]
    file.write_text("\n---\n".join(documents))


def move(root: Path, number: int) -> None:
    (root / NETWORKS).rename(root / f"intent/other{number}.yaml")
    (root / NETWORKS).write_text("")


def break_yaml(root: Path, number: int) -> None:
    file = root / NETWORKS
    lines = file.read_text().split("\n")
    lines[number % len(lines)] += (" 'x", "\t:", ": {", " \u200b", "\nkind: Twice")[number % 5]
    file.write_text("\n".join(lines))


def break_field(root: Path, number: int) -> None:
    file = root / NETWORKS
    file.write_text(file.read_text().replace("cidr: 10.", f"cidr: {300 + number}.", 1))


def line_ends(root: Path, number: int) -> None:
    file = root / NETWORKS
    file.write_bytes(file.read_bytes().replace(b"\n", (b"\r\n", b"\r")[number % 2]))


def hand_edit(root: Path, number: int) -> None:
    files = sorted(path for path in (root / "tree").rglob("*.yaml") if "cni.cncf" in path.read_text())
    if files:
        file = files[number % len(files)]
        text = file.read_text()
        file.write_text((text.replace("vlan", "VLAN"), text + "x: 1\n", text[:-20], "")[number % 4])


def lose(root: Path, number: int) -> None:
    files = sorted(path for path in (root / "tree").rglob("*") if path.is_file())
    if files:
        files[number % len(files)].unlink()


def bring(root: Path, _: int) -> None:
    """Make the tree as intent has it."""
    with environment(INTENTC_CACHE="off"):
        write(root, rendered(begin(root)))


def spoil(root: Path, number: int) -> None:
    """Damage the cache itself."""
    files = sorted((root.parent / "cache").rglob("*.json"))
    for file in files[number % 3 :: 3]:
        raw = file.read_bytes()
        file.write_bytes((raw[: len(raw) // 2], raw.replace(b"net", b"NET"), b"")[number % 3])


EDITS: Final[tuple[Edit, ...]] = (
    change,
    shift,
    shuffle,
    remove,
    move,
    break_yaml,
    break_field,
    line_ends,
    hand_edit,
    lose,
    bring,
    spoil,
)


@given(st.lists(st.tuples(st.sampled_from(EDITS), st.integers(0, 999)), min_size=1, max_size=6))
@settings(max_examples=40)
def test_edits_with_a_cache_give_what_they_give_without(edits: list[tuple[Edit, int]]) -> None:
    with TemporaryDirectory() as name, environment(XDG_CACHE_HOME=f"{name}/cache"):
        root = Path(name) / "root"
        repository(root)
        before = (root / NETWORKS).read_bytes()
        for edit, number in [(shift, 0), *edits]:
            edit(root, number)
            with environment(INTENTC_CACHE="off"):
                clean = outcome(root)
            with environment(INTENTC_CACHE="on"):
                assert outcome(root) == clean
                assert outcome(root) == clean
            if edit in (break_yaml, break_field):
                (root / NETWORKS).write_bytes(before)
        assert list((Path(name) / "cache").rglob("*.json"))
