"""Text targets: one Jinja2 template per file, loaded when the first of them is asked for."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template


def fill(template: str, **values: Any) -> str:
    """Return the text of a template; a value that is missing is an error."""
    return _template(template).render(values)


@cache
def _template(name: str) -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 -- costs start-up time

    loader = PackageLoader(__package__, "templates")
    return Environment(
        loader=loader,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    ).get_template(name)
