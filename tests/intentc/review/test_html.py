"""The page of a review: whole, self-contained, inert, and with everything that changes marked."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from intentc.cli import run
from intentc.review import html as review_html
from tests.review_cases import CASES, ROOT, case, commit, start

VOID = {"meta", "link", "br", "img", "hr", "input"}
EVIL = '<img src="http://127.0.0.1:9/x" onerror=alert(1)></td></details><script>alert(1)</script>'


class Page(HTMLParser):
    """What a browser would make of a page, as far as tests ask."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.crossed: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.crossed.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def links(self) -> list[str]:
        return [value for name, value in self.attributes if name in ("href", "src", "xlink:href", "action")]


def page(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.chdir(folder)
    assert run(["diff", "--format", "html"]) == 2
    return capsys.readouterr().out


def example(tmp_path: Path, name: str, file: str, old: str, new: str) -> Path:
    """Return a repository in which one text of an example was changed since HEAD."""
    folder = start(tmp_path / name)
    shutil.copytree(ROOT / "examples" / name, folder, dirs_exist_ok=True)
    commit(folder, "example")
    text = (folder / "intent" / file).read_text()
    assert old in text
    (folder / "intent" / file).write_text(text.replace(old, new))
    assert run(["-C", str(folder), "ledger", "update"]) == 0
    return folder


@pytest.mark.parametrize("name", sorted(path.name for path in CASES.iterdir()))
def test_a_page_is_whole_and_loads_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = page(case(tmp_path / "r", name), monkeypatch, capsys)
    found = Page(text)
    assert not found.crossed
    assert not found.open
    assert len(found.ids) == len(set(found.ids))
    assert all(link.startswith("#") and link[1:] in found.ids for link in found.links)
    assert not found.tags & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "base",
        "form",
        "image",
        "use",
    }
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert "default-src 'none'" in dict(found.attributes)["content"] or "default-src 'none'" in text
    assert "url(" not in text
    assert "@import" not in text
    addresses = set(re.findall(r"https?://[^\"' <]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert len(re.findall('class="step" id=', text)) > 0


def test_every_step_is_shown_by_intent_and_by_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Page(page(case(tmp_path / "r", "node-added"), monkeypatch, capsys))
    steps = {ident for ident in found.ids if ident.startswith("step-")}
    assert len(steps) == 22
    assert {link[1:] for link in found.links if link.startswith("#step-")} == steps


def test_each_rendered_line_has_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = page(case(tmp_path / "r", "mtu-change"), monkeypatch, capsys)
    rows = re.findall(r'<tr class="(add|cut)"><td>.</td><td>([^<]*)</td><td>([^<]*)</td>', text)
    assert ("add", "l3_mtu: 8000", "intent/networks.yaml:15:8") in rows
    assert any(
        kind == "cut" and line == "l3_mtu: 9000" and at.startswith("HEAD:intent/") for kind, line, at in rows
    )


def marked(text: str, ident: str, mark: str) -> bool:
    """Say whether an element of the picture carries a mark."""
    start_ = text.index(f'id="{ident}"')
    return (
        f"mark {mark}" in text[start_:].partition("</g>")[0]
        or f"narrow {mark}" in text[start_:].partition("</g>")[0]
    )


def test_nodes_that_come_and_that_are_touched_are_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = page(case(tmp_path / "r", "node-added"), monkeypatch, capsys)
    assert marked(text, "topology-Node--worker-3", "added")
    assert marked(text, "topology-Node--worker-1", "changed")
    assert "as it was" not in text


def test_ports_of_a_changed_network_are_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = example(tmp_path, "upf-sriov", "networks.yaml", "vlan: 1404", "vlan: 1405")
    text = page(folder, monkeypatch, capsys)
    ports = re.findall(r'<g class="tab" id="[^"]*leaf1[^"]*">.*?</g>', text, re.DOTALL)
    assert sum("mark" in port for port in ports) == 4
    assert sum("mark" not in port for port in ports) == 4


def test_a_changed_path_is_marked_and_what_goes_is_drawn_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = "    last: 3\n  site: dc2"
    folder = example(tmp_path, "two-datacentres", "nodes.yaml", old, old.replace("3", "2", 1))
    policies = folder / "intent" / "policies.yaml"
    policies.write_text(
        policies.read_text().replace(
            "            - router: p1\n            - router: p3\n", "            - router: p1\n"
        )
    )
    text = page(folder, monkeypatch, capsys)
    assert '<path class="halo changed"' in text
    assert "Topology, as it was" in text
    assert marked(text, "before-Node--west-3", "removed")
    assert 'id="topology-Node--west-3"' not in text


def test_what_users_wrote_stays_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = "networks.yaml"
    folder = example(tmp_path, "upf-sriov", file, "description: GTP-U from the RAN", f"description: {EVIL!r}")
    text = page(folder, monkeypatch, capsys)
    found = Page(text)
    assert not found.tags & {"script", "img"}
    assert not found.crossed


def test_a_page_that_is_full_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(review_html, "_MOST", 5)
    text = page(case(tmp_path / "r", "node-added"), monkeypatch, capsys)
    assert "left out: this page is full" in text
    assert len(re.findall("<tr class=.add", text)) == 5
    assert not Page(text).crossed


def test_equal_changes_give_equal_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = case(tmp_path / "r", "rename-network")
    assert page(folder, monkeypatch, capsys) == page(folder, monkeypatch, capsys)
