"""What the models say of their fields: the text below each field in the source, for schemas and pages.

pydantic could read it when the models are made, but that takes a third of the start-up time of every command,
and only these pages want it.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import cache

from pydantic import BaseModel


@cache
def field_docs(model: type[BaseModel]) -> Mapping[str, str]:
    """Return the text of each field of a model, by the name that users write."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found |= _texts(base.__module__).get(base.__name__, {})
    fields = model.model_fields
    return {info.alias or name: found[name] for name, info in fields.items() if name in found}


@cache
def _texts(module: str) -> Mapping[str, Mapping[str, str]]:
    """Return the texts of a module by class and field."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {item.name: dict(_fields(item)) for item in tree.body if isinstance(item, ast.ClassDef)}


def _fields(body: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, text in zip(body.body, body.body[1:], strict=False):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                yield name, inspect.cleandoc(said)
