"""Where words stand: files, documents and the places inside them.

A `Source` is one file as text; a `Document` is one YAML document of it, as plain values together with a
mark (line, column) for every key and value. Marks lie in one flat array in the order in which the nodes
were read, so they cost eight bytes a node, and a place is looked up only when somebody asks for it.

Invariant: every path that exists in `Document.data` has a place in `Document.marks`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

FieldPath = tuple[str | int, ...]
"""Steps from the root of a document: mapping keys and list indexes."""


def dotted(path: FieldPath) -> str:
    """Write a path as people read it: `spec.subnets.0.cidr`."""
    return ".".join(map(str, path))


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """One place in one file; `line` and `column` count from 1, and 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """Write the place as compilers do, so that editors jump to it."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the repository: its path as the user writes it, and its text."""

    file: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One YAML document: plain values, and where each of them was written."""

    file: str
    data: Any
    marks: array[int]
    """Line and column, counted from 0, of each node in reading order."""
    above: int = 0
    """Lines of the file that stand above the first one that marks count from."""

    def span(self, path: FieldPath = (), *, key: bool = False) -> Span:
        """Return the place of the value at `path` (of its key, with `key`), or of what exists of it.

        A mapping or list that begins below its key is placed at the key: that is where people look for it.
        """
        position, at_key, node = 0, 0, self.data
        for step in path:
            if isinstance(node, Mapping) and step in node:
                position += 1
                for name, value in node.items():
                    if name == step:
                        break
                    position += 1 + _size(value)
                at_key, position = position, position + 1
                node = node[step]
            elif isinstance(node, list) and isinstance(step, int) and step < len(node):
                position += 1 + sum(_size(value) for value in node[:step])
                at_key, node = position, node[step]
            else:
                # What is not written has no place; the key of what should hold it is the best there is.
                key = True
                break
        if isinstance(node, Mapping | list) and self.marks[2 * position] > self.marks[2 * at_key]:
            key = True
        index = 2 * (at_key if key else position)
        return self._at(index)

    def places(self) -> Iterator[tuple[FieldPath, Span]]:
        """Yield every path of the document with the place of its key (of its value, in lists)."""
        counter = 0

        def place() -> Span:
            return self._at(2 * counter)

        def walk(path: FieldPath, node: Any, here: Span) -> Iterator[tuple[FieldPath, Span]]:
            nonlocal counter
            yield path, here
            counter += 1
            if isinstance(node, Mapping):
                for name, value in node.items():
                    at = place()
                    counter += 1
                    yield from walk((*path, name), value, at)
            elif isinstance(node, list):
                for index, value in enumerate(node):
                    yield from walk((*path, index), value, place())

        return walk((), self.data, place())

    def _at(self, index: int) -> Span:
        return Span(self.file, self.above + self.marks[index] + 1, self.marks[index + 1] + 1)


def _size(node: Any) -> int:
    """Count the marks below and at `node`: one for each value and one for each key."""
    if isinstance(node, Mapping):
        return 1 + sum(1 + _size(value) for value in node.values())
    if isinstance(node, list):
        return 1 + sum(_size(value) for value in node)
    return 1
