"""Origins on their way from elements to resources: fields get the names that the target has for them."""

from __future__ import annotations

from collections.abc import Mapping

from intent.model import Origin


def renamed(origins: tuple[Origin, ...], names: Mapping[str, tuple[str, ...]]) -> tuple[Origin, ...]:
    """Return origins with the target's paths for the fields of an element; fields without one are left out.

    What speaks of the whole object (an empty field) speaks of the whole resource.
    """
    made = tuple.__new__  # what Origin(…) does, without a call in between: there are ten to a resource
    return tuple(
        [
            made(Origin, (path, intent, place, rule))
            for field, intent, place, rule in origins
            for path in names.get(field, () if field else ("",))
        ]
    )
