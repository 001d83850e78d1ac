"""Random pairs of branches under a real `git merge`, with git's union driver as `intentc init` sets it.

What is merged compiles, or is refused with both lines and mended by an update. No id is held twice, no owner
holds two, and no lease of our side moves. `make merges` runs a thousand pairs and prints what became of them.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.merges import Figures, Git, conflict_rate, faults, judge, pairs

COUNT = int(os.environ.get("INTENTC_MERGES", "80"))


@pytest.fixture(autouse=True)
def _needs_git() -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")


def test_no_merge_lets_an_id_be_held_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    several = list(pairs(COUNT))
    git, figures = Git(tmp_path / "driver", several), Figures()
    for pair in several:
        judge(git, pair, figures)
    plain = conflict_rate(tmp_path / "plain", several)
    with capsys.disabled():
        if "INTENTC_MERGES" in os.environ:
            print(f"\n{figures}\nconflicts in the ledger without the driver: {plain}")  # noqa: T201 -- a report
    assert figures.wrong == []
    assert figures.pairs == figures.compiled + figures.mended + figures.chosen == COUNT
    assert figures.conflicts == 0, "git asked about the ledger"
    assert plain > COUNT / 2, "branches that never meet prove nothing"
    assert figures.moved > COUNT / 50, "branches that never take the same id prove nothing"


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (("X/a vni 5", "X/b vni 5"), "vni 5 is taken twice"),
        (("X/a vni 5", "X/b l3vni 5 freed"), "l3vni 5 is taken twice"),
        (("X/a vni 5", "X/a vni 6"), "X/a holds two of vni"),
        (("X/old vlan@f 5", "X/a vlan@f 6"), "X/a holds two of vlan@f"),
        (("X/a pods@c 10.0.0.0/24", "X/b pods@c 10.0.0.0/25"), "10.0.0.0/24 overlaps 10.0.0.0/25"),
        (("X/a vni 5", "X/a vni 6 freed", "X/b vlan@f 5", "X/b vlan@g 6", "X/old vni 5"), None),
    ],
)
def test_what_the_campaign_does_not_let_pass(rows: tuple[str, ...], fault: str | None) -> None:
    found = list(faults("\n".join(["# intentc ledger 1: x", *rows]), {"X/old": "X/a"}))
    assert found == ([fault] if fault else [])
