"""Markdown for a comment: never too long, honest about what it leaves out, and inert whatever users wrote."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intentc.review.markdown import LIMIT, code, fenced, markdown
from intentc.review.sheet import Note, Sheet
from reconciler.plan import Observation, plan
from reconciler.review import review
from renderers.resource import Key, Resource

EVIL = (
    "</code></details>```\n@someone #1 [x](javascript:x) <img src=x> | `a` *b* _c_ \x1b[2J\u202e ~~~ :tada:"
)


def resource(name: str, subject: str = "VirtualNetwork/n3", scope: str = "node/c/n", **spec: Any) -> Resource:
    return Resource(Key("vpp", scope, "policy", name), spec, subject)


def sheet(before: list[Resource], after: list[Resource], **more: Any) -> Sheet:
    seen = Observation({item.key: item for item in before})
    return Sheet(more.pop("title", "diff"), review(plan({"t": after}, {"t": seen})), **more)


def outside(text: str) -> str:
    """Return what is neither in code nor in a fence."""
    text = re.sub(r"^(`{3,})diff\n.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"<code>[^<>]*</code>", "", text)


def test_it_has_a_summary_a_table_and_folds() -> None:
    text = markdown(sheet([resource("a", x=1), resource("b")], [resource("a", x=2)]))
    assert "**1 to change, 1 to delete (1 destroy, 1 brief loss); 0 unchanged**" in text
    assert "| blast radius | hitless | brief loss | drain | reboot | destroy | in all |" in text
    assert "| **objects** |  | 1 |  |  | 1 | 2 |" in text
    assert "<details><summary>By intent (1)</summary>" in text
    assert "<details><summary>By target (1)</summary>" in text
    assert "-x: 1\n+x: 2\n" in text
    assert text.count("<details>") == text.count("</details>")


def test_nothing_that_changes_is_short() -> None:
    text = markdown(sheet([], []))
    assert "nothing to change" in text
    assert "<details>" not in text


def test_what_users_wrote_is_inert() -> None:
    before = [resource(EVIL, f"A/{EVIL}", f"node/c/{EVIL}", text=EVIL, x={EVIL: EVIL}), resource("b" + EVIL)]
    after = [resource(EVIL, f"A/{EVIL}", f"node/c/{EVIL}", text=EVIL + "!", x={EVIL: [EVIL]})]
    notes = (Note(EVIL, (EVIL,), EVIL),)
    text = markdown(sheet(before, after, title=EVIL, notes=notes, places={f"A/{EVIL}": EVIL}))
    rest = outside(text)
    for sign in ("@", "<img", "`", "*b*", "_c_", "[x]", ":tada:", "~~~", "#1"):
        assert sign not in rest, rest
    assert text.replace("\n", "").isprintable()
    assert rest.count("<details>") == rest.count("</details>") > 2


@given(st.text())
def test_code_holds_nothing_that_anybody_interprets(text: str) -> None:
    inner = code(text).removeprefix("<code>").removesuffix("</code>")
    assert not re.search(r"[<>@`*_|\[\]\\~!\n]", inner)
    assert not re.search(r"&(?!#[0-9]+;)", inner)


@given(st.lists(st.text(alphabet="`a\n ", max_size=9), min_size=1))
def test_a_fence_is_longer_than_any_in_it(rows: list[str]) -> None:
    block = fenced(rows)
    fence = re.match("`+", block)
    assert fence
    assert block.count(fence[0]) == 2
    assert block.endswith(f"\n{fence[0]}\n")


def many(number: int, size: int) -> Sheet:
    before = [
        resource(f"p{index}", f"Network/n{index}", f"node/c/n{index}", x="é" * size)
        for index in range(number)
    ]
    after = [
        resource(f"p{index}", f"Network/n{index}", f"node/c/n{index}", x="ü" * size)
        for index in range(number)
    ]
    return sheet(before, after, command="intentc diff main")


@pytest.mark.parametrize(("number", "size"), [(2000, 10), (300, 400), (3, 30_000), (1, 90_000)])
def test_it_is_never_too_long_and_says_what_is_left_out(number: int, size: int) -> None:
    text = markdown(many(number, size))
    assert len(text.encode()) <= LIMIT
    assert text.count("<details>") == text.count("</details>")
    assert len(re.findall("^`{3,}diff$", text, re.MULTILINE)) == len(
        re.findall("^`{3,}$", text, re.MULTILINE)
    )
    if number > 3:
        last = text.splitlines()[-1]
        assert "Left out for length" in last
        assert "intentc diff main --full" in last


def test_a_full_comment_uses_the_room() -> None:
    text = markdown(many(2000, 10))
    assert len(text.encode()) > 0.9 * LIMIT
    shown = text.count("<details><summary><code>Network")
    assert shown > 50
    assert f"{2000 - shown:,} of 2,000 documents" in text


def test_one_document_that_is_too_large_does_not_hide_the_others() -> None:
    large = [
        resource(f"p{number}", "Network/a", text="\n".join(f"{number} {line:0390}" for line in range(190)))
        for number in range(2)
    ]
    small = resource("q", "Network/b", x=1)
    text = markdown(sheet([], [*large, small]))
    assert "<code>Network/b</code>" in text
    assert len(text.encode()) <= LIMIT


def test_a_long_head_is_cut_too() -> None:
    notes = tuple(Note("x" * 300, tuple("y" * 300 for _ in range(400))) for _ in range(3))
    assert len(markdown(sheet([], [resource("a")], notes=notes)).encode()) <= LIMIT
