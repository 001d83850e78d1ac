"""Colours and line styles of pictures, in one table for light and dark.

A picture that stands alone gets the light colours written out, since few programs beside browsers know CSS
variables; a page gets variables and both sets. Colours never speak alone: each has a symbol, dashes or words
beside it.
"""

from __future__ import annotations

import re
from typing import Final

COLOURS: Final[dict[str, tuple[str, str]]] = {
    "ground": ("#ffffff", "#0f151c"),
    "site": ("#f6f8fa", "#161d26"),
    "fabric": ("#eef2f6", "#1c2530"),
    "box": ("#ffffff", "#26313d"),
    "port": ("#e9eef3", "#344251"),
    "words": ("#17212b", "#e8eef4"),
    "quiet": ("#52606d", "#a9b6c3"),
    "edge": ("#6b7a89", "#8493a3"),
    "faint": ("#b4c0cb", "#46566a"),
    "router": ("#dfe8f3", "#24384f"),
    "router-edge": ("#2c5282", "#8fb4de"),
    "spine": ("#e3e8ee", "#2d3947"),
    "bad": ("#b42318", "#ff8a7a"),
    "drain": ("#8a5a00", "#f0b955"),
    "added": ("#1a7f37", "#56d364"),
    "changed": ("#9a6700", "#e3b341"),
    "removed": ("#cf222e", "#ff7b72"),
    "group0": ("#2f6db5", "#79b0f0"), "group1": ("#1b7f72", "#55c8b7"), "group2": ("#7a4fb0", "#bb98ea"),
    "group3": ("#a1457a", "#e697c3"), "group4": ("#5f6b1e", "#b9c65c"), "group5": ("#4b5a6a", "#a9b8c8"),
    "path0": ("#c2410c", "#fb923c"), "path1": ("#0e7490", "#4fd1e8"), "path2": ("#9d174d", "#f08ab5"),
    "path3": ("#4d7c0f", "#a3d94d"), "path4": ("#6d28d9", "#b79bff"), "path5": ("#854d0e", "#e0b15a"),
    "path6": ("#1d4ed8", "#8fb1ff"), "path7": ("#374151", "#c3ccd6"),
    "net0": ("#d9730d", "#f5a04c"), "net1": ("#2878c8", "#6fb4f5"), "net2": ("#3c9142", "#77cc7c"),
    "net3": ("#a94fa0", "#df92d8"), "net4": ("#b8901a", "#e8c85a"), "net5": ("#5b6770", "#aab6bf"),
}  # fmt: skip
"""Colours by name: light, dark. Words on every ground reach a contrast of 4.5 (tested)."""

TONES: Final = {"group": 6, "path": 8, "net": 6}
"""How many tones there are of each sort; more of a kind start again."""

DASHES: Final = ("", "9 4", "3 3", "12 3 3 3", "", "9 4", "3 3", "12 3 3 3")
"""Dashes of paths, by tone."""

_RULES: Final = """
.p{font-family:Arial,"Liberation Sans",Helvetica,sans-serif;fill:$words}
.p .ground{fill:$ground}
.p text{font-size:11px}
.p .h1{font-size:18px;font-weight:700}
.p .h2{font-size:12px;fill:$quiet}
.p .site>.edge{fill:$site;stroke:$faint}
.p .fabric>.edge{fill:$fabric;stroke:$faint}
.p .group>.edge{fill:none;stroke:$edge;stroke-dasharray:4 3}
.p .kind>.edge{fill-opacity:.05;stroke-width:1}
.p .cluster>.edge{fill-opacity:.07;stroke-width:1.3}
.p .name text{font-weight:700;fill:$quiet}
.p .name.site text{font-size:15px;fill:$words}
.p .name>.pill{fill:$site}
.p .name.kind>.pill{fill:$ground}
.p .name.fabric>.pill{fill:$site}
.p .name.group>.pill{fill:$fabric}
.p .box>.body{fill:$box;stroke:$edge;stroke-width:1.2}
.p .box>.shade{fill:$box;stroke:$edge}
.p .router>.body{fill:$router;stroke:$router-edge;stroke-width:1.6}
.p .spine>.body,.p .border>.body{fill:$spine}
.p .external>.body{fill:$box;stroke:$quiet;stroke-width:1.4}
.p .server>.body{stroke-width:1.6}
.p .drained>.body{stroke:$drain;stroke-dasharray:5 3;stroke-width:2}
.p .title{font-size:13px;font-weight:700}
.p .small{fill:$quiet}
.p .state{font-size:10px;font-weight:700;fill:$drain}
.p .tab>.port{fill:$port;stroke:$edge;stroke-width:.7}
.p .tab text{font-size:10px}
.p .line{fill:none;stroke:$edge;stroke-linecap:round}
.p .implied .line{stroke:$faint}
.p .link .line{stroke:$router-edge}
.p .uplink .line{stroke:$router-edge;stroke-dasharray:1 4}
.p .selector .line{stroke-dasharray:5 3}
.p .name .line,.p .selector .line{stroke-opacity:.7}
.p .down .line{stroke:$bad;stroke-dasharray:6 4}
.p .path .line{stroke-linejoin:round;stroke-linecap:butt}
.p .halo{fill:none;stroke-linecap:round;stroke-opacity:.35}
.p .hit{fill:none;stroke:transparent;stroke-width:9}
.p .ring{fill:$site;fill-opacity:.6;stroke:$quiet;stroke-width:1.4}
.p .note>.pill{fill:$site;fill-opacity:.9}
.p .note text{font-weight:400;fill:$quiet}
.p .note.down text{fill:$bad;font-weight:700}
.p .note.path text{font-size:10px;font-weight:700;fill:$ground}
.p rect.state{fill:$ground;stroke:$drain}
.p .mark{fill:none;stroke-width:3}
.p .mark.narrow{stroke-width:1.8}
.p .sign{font-weight:700;font-size:12px;fill:$ground}
.p text.narrow{font-weight:700;font-size:12px}
"""

_NAME = re.compile(r"\$([a-z0-9-]+)")


def _more_rules() -> str:
    """Return the rules of tones and marks."""
    rules = []
    for tone in range(TONES["group"]):
        colour = f"$group{tone}"
        rules += [
            f".p .g{tone}{{fill:{colour};stroke:{colour}}}",
            f".p .name text.g{tone}{{stroke:none;fill:{colour}}}",
            f".p .wire .t{tone}{{stroke:{colour}}}",
        ]
    rules += [f".p .path .w{tone}{{stroke:$path{tone}}}" for tone in range(TONES["path"])]
    rules += [f".p .f{tone}{{fill:$path{tone}}}" for tone in range(TONES["path"])]
    rules += [f".p .n{tone}{{fill:$net{tone}}}" for tone in range(TONES["net"])]
    rules.append(".p .n{fill:$quiet}")
    for mark in ("added", "changed", "removed"):
        rules.append(f".p .mark.{mark},.p .halo.{mark}{{stroke:${mark}}}")
        rules.append(f".p circle.{mark},.p text.{mark}{{fill:${mark}}}")
    return "\n".join(rules)


def rules_alone() -> str:
    """Return the style of a picture that stands alone: light."""
    return _NAME.sub(lambda found: COLOURS[found[1]][0], _RULES + _more_rules())


def rules_of_page() -> str:
    """Return the style of pictures in a page, which follows the reader's wish for light or dark."""
    light, dark = (";".join(f"--{name}:{pair[index]}" for name, pair in COLOURS.items()) for index in (0, 1))
    scheme = f":root{{color-scheme:light dark;{light}}}\n@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return scheme + _NAME.sub(r"var(--\1)", _RULES + _more_rules())
