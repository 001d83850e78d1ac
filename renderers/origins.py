"""Origins on their way from elements to resources: fields get the names that the target has for them."""

from __future__ import annotations

from collections.abc import Mapping

from intent.model import Origin


def renamed(origins: tuple[Origin, ...], names: Mapping[str, tuple[str, ...]]) -> tuple[Origin, ...]:
    """Return origins with the target's paths for the fields of an element; fields without one are left out.

    What speaks of the whole object (an empty field) speaks of the whole resource.
    """
    return tuple(
        Origin(path, origin.intent, origin.path, origin.rule)
        for origin in origins
        for path in names.get(origin.field, () if origin.field else ("",))
    )
