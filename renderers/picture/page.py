"""Both pictures and a table of everything, as one HTML page that needs no network and no server.

The page forbids itself to load anything (Content-Security-Policy); its one script is allowed by its hash.
Without the script it still shows everything.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

from compiler.resolved import Resolved
from renderers.picture.dependencies import dependencies
from renderers.picture.model import Mark, Marks, Picture
from renderers.picture.style import rules_of_page
from renderers.picture.svg import escape, write_inside
from renderers.picture.table import table
from renderers.picture.text import MINUS
from renderers.picture.topology import topology

_STYLE: Final = """
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--words);
font:14px/1.45 Arial,"Liberation Sans",Helvetica,sans-serif}
header{position:sticky;top:0;z-index:1;display:flex;flex-wrap:wrap;gap:8px 18px;align-items:center;
padding:10px 24px;background:var(--ground);border-bottom:1px solid var(--faint)}
h1{font-size:18px;margin:0}h2{font-size:16px;margin:28px 24px 8px}
nav a{color:var(--router-edge);margin-right:14px}
input,button{font:inherit;color:inherit;background:var(--box);border:1px solid var(--edge);
border-radius:5px;padding:5px 9px}
input{min-width:18em}button{cursor:pointer}
:focus-visible{outline:2px solid var(--router-edge);outline-offset:1px}
.canvas{overflow:auto;border-block:1px solid var(--faint);max-height:88vh}
.canvas svg{display:block;max-width:100%;height:auto;margin:auto}
.canvas.free svg{max-width:none}
.head{display:flex;justify-content:space-between;align-items:end;padding-right:24px}.tools{margin-bottom:8px}.tools[hidden]{display:none}
table{border-collapse:collapse;margin:0 24px 40px;width:calc(100% - 48px)}
th{color:var(--quiet);font-size:12px}
th,td{text-align:left;padding:4px 14px 4px 0;border-bottom:1px solid var(--site);
vertical-align:top;overflow-wrap:anywhere}
tr[hidden]{display:none}
td.place{font-family:monospace;font-size:12px;color:var(--quiet)}
.number{text-align:right}
td button{border:0;background:none;padding:0;color:var(--router-edge);text-align:left}
.added{color:var(--added)}.changed{color:var(--changed)}.removed{color:var(--removed)}
svg.dim .wire{opacity:.12}svg.dim .wire.near{opacity:1}
.box.found>.body{stroke:var(--path0);stroke-width:4}.frame.found>rect{stroke:var(--path0);stroke-width:4}
.wire.found .line{stroke:var(--path0);stroke-width:5}
@media print{header,.tools{display:none}.canvas{max-height:none}}
"""

_SCRIPT: Final = """
"use strict";
const all = (query, root = document) => [...root.querySelectorAll(query)];
const rows = all("tbody tr").map(row => ({row, text: row.textContent.toLowerCase()}));
const search = document.getElementById("search"), count = document.getElementById("count");
const clear = () => all(".found").forEach(item => item.classList.remove("found"));
const show = row => row.dataset.boxes.split(" ").map(id => document.getElementById(id)).filter(Boolean)
  .map(item => (item.classList.add("found"), item));
search.addEventListener("input", () => {
  const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean), hits = [];
  clear();
  for (const {row, text} of rows) {
    row.hidden = !words.every(word => text.includes(word));
    if (!row.hidden) hits.push(row);
  }
  count.textContent = words.length ? `${hits.length} of ${rows.length}` : "";
  if (words.length) hits.slice(0, 200).forEach(show);
});
for (const button of all("td button")) button.addEventListener("click", () => {
  clear();
  const found = show(button.closest("tr"));
  if (found.length) found[0].scrollIntoView({block: "center", inline: "center"});
});
for (const svg of all("svg.p")) {
  const wires = new Map();
  for (const wire of all(".wire", svg)) for (const end of wire.dataset.ends.split(" ")) {
    if (!wires.has(end)) wires.set(end, []);
    wires.get(end).push(wire);
  }
  for (const box of all(".box", svg)) {
    const light = on => {
      svg.classList.toggle("dim", on);
      (wires.get(box.id) || []).forEach(wire => wire.classList.toggle("near", on));
    };
    box.addEventListener("mouseenter", () => light(true));
    box.addEventListener("mouseleave", () => light(false));
  }
}
for (const tools of all(".tools")) {
  const canvas = tools.closest("section").querySelector(".canvas"), svg = canvas.firstElementChild;
  const [larger, smaller, fit] = all("button", tools);
  const zoom = by => {
    svg.style.width = svg.getBoundingClientRect().width * by + "px";
    canvas.classList.add("free");
  };
  larger.addEventListener("click", () => zoom(1.3));
  smaller.addEventListener("click", () => zoom(1 / 1.3));
  fit.addEventListener("click", () => { svg.style.width = ""; canvas.classList.remove("free"); });
  tools.hidden = false;
}
"""


def page(resolved: Resolved, marks: Mapping[str, Mark] | None = None) -> str:
    """Return the page; `marks` says by subject what a change did to it."""
    pictures = (topology(resolved, marks), dependencies(resolved, marks))
    name = escape(resolved.project.name)
    return "".join(
        (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">',
            f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{name}</title>',
            f"<style>{rules_of_page()}{_STYLE}</style></head>\n<body><header><h1>{name}</h1>{_TOOLS}</header>\n",
            _section(pictures[0], "Topology"),
            _section(pictures[1], "Documents"),
            table(resolved, Marks.of(marks or {}), pictures),
            f"<script>{_SCRIPT}</script></body></html>\n",
        )
    )


_TOOLS: Final = (
    '<nav><a href="#part-topology">Topology</a><a href="#part-dependencies">Documents</a>'
    '<a href="#part-objects">Objects</a></nav><input id="search" type="search" '
    'placeholder="search names, places, addresses" aria-label="search objects">'
    '<span id="count" aria-live="polite"></span>'
)


def _policy() -> str:
    """Return the page's policy: no network at all, and no script but its own."""
    script = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    own = f"style-src 'unsafe-inline'; script-src 'sha256-{script}'"
    return f"default-src 'none'; {own}; base-uri 'none'; form-action 'none'"


def _section(picture: Picture, title: str) -> str:
    signs = (("larger", "+"), ("smaller", MINUS), ("fit the window", "fit"))
    buttons = " ".join(f'<button type="button" title="{what}">{sign}</button>' for what, sign in signs)
    return (
        f'<section id="part-{picture.name}"><div class="head"><h2>{title}</h2>'
        f'<div class="tools" hidden>{buttons}</div></div><div class="canvas" tabindex="0" role="region" '
        f'aria-label="{title}">{write_inside(picture)}</div></section>\n'
    )
