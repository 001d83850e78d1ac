"""Origins on their way from elements to resources: fields get the names that the target has for them.

Nothing is made here before somebody reads it: a plan reads the origins of what changes only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

from intent.model import LazyOrigins, Origin


def renamed(origins: Sequence[Origin], names: Mapping[str, tuple[str, ...]]) -> Sequence[Origin]:
    """Return origins with the target's paths for the fields of an element; fields without one are left out.

    What speaks of the whole object (an empty field) speaks of the whole resource.
    """
    return LazyOrigins(partial(_renamed, origins, names))


def moved(origins: Sequence[Origin], places: Mapping[str, str]) -> Sequence[Origin]:
    """Return origins with some fields under another path; all others stay."""
    if all(old == new for old, new in places.items()):
        return origins
    return LazyOrigins(
        lambda: (origin._replace(field=places.get(origin.field, origin.field)) for origin in origins)
    )


def only(origins: Sequence[Origin], fields: Collection[str]) -> Sequence[Origin]:
    """Return those origins that speak of one of some fields."""
    return LazyOrigins(lambda: (origin for origin in origins if origin.field in fields))


def joined(*several: Sequence[Origin]) -> Sequence[Origin]:
    """Return origins one after the other."""
    return LazyOrigins(lambda: (origin for origins in several for origin in origins))


def _renamed(origins: Sequence[Origin], names: Mapping[str, tuple[str, ...]]) -> Iterator[Origin]:
    for field, intent, place, rule in origins:
        for path in names.get(field, () if field else ("",)):
            yield Origin(path, intent, place, rule)
