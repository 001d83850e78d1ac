"""What every intent kind is made of: frozen models, metadata, references, selectors, and the `Intent` itself.

References are declared where they stand (`Annotated[str, Ref("Fabric")]`): the resolver, the reference pages
and the dependency picture all read that one declaration.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    NamedTuple,
    Self,
    TypeVar,
    Union,
    get_args,
    get_origin,
    overload,
)

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from intent.scalars import Name, SecretName, Text, wrong
from intent.source import Document, FieldPath, Span

T = TypeVar("T", bound=Hashable)

API_VERSION: Final = "intentc.dev/v1alpha1"


@dataclass(frozen=True, slots=True)
class Ref:
    """Marks a field whose text names a document of one of these kinds."""

    kinds: tuple[str, ...]

    def __init__(self, *kinds: str) -> None:
        """Name the kinds that the field may point to."""
        object.__setattr__(self, "kinds", kinds)

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Carry the mark into the JSON Schema, from which the reference pages are made."""
        return {**handler(core), "x-ref": list(self.kinds)}


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that the type of a field is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Annotated, Union, types.UnionType, tuple, list, dict):
        for argument in get_args(annotation):
            yield from models_in(argument)


def camel(name: str) -> str:
    """Return the name of a field as YAML has it: `spoof_check` becomes `spoofCheck`, `l3vni` stays."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def repeated(items: Iterable[T]) -> tuple[int, T] | None:
    """Return index and value of the first item that stands there a second time."""
    seen: set[T] = set()
    for index, item in enumerate(items):
        if item in seen:
            return index, item
        seen.add(item)
    return None


class Model(BaseModel):
    """Base of all that is written in intent: frozen, camelCase outside, unknown fields refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=camel,
        validate_by_name=False,
        validate_by_alias=True,
        coerce_numbers_to_str=True,  # lossless: the loader makes numbers of canonical integers only
        hide_input_in_errors=True,
        validate_default=False,
        defer_build=True,  # a command builds the kinds that it meets, not all of them
    )


class Spec(Model):
    """Base of the `spec` of every kind."""

    example: ClassVar[str] = ""
    """A document that validates; shown on the reference page and tested."""


class LabelSelectorRule(Model):
    """One rule on a label."""

    key: Text
    """Key of the label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label must compare."""
    values: tuple[str, ...] = ()
    """Values for In and NotIn."""

    @model_validator(mode="after")
    def _values(self) -> Self:
        if (self.operator in ("In", "NotIn")) != bool(self.values):
            raise wrong("In and NotIn take values; Exists and DoesNotExist take none")
        return self

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Say whether labels fulfil the rule."""
        present = self.key in labels
        if self.operator == "Exists":
            return present
        if self.operator == "DoesNotExist":
            return not present
        return (labels.get(self.key) in self.values) == (self.operator == "In")


class Selector(Model):
    """Chooses documents: all of them, by name, or by label (every given condition must hold)."""

    all: Literal[True] | None = None
    """Choose every document of the kind."""
    names: tuple[Name, ...] = ()
    """Choose by name; an unknown name is an error."""
    match_labels: dict[str, str] = Field(default_factory=dict)
    """Labels that must be equal."""
    match_expressions: tuple[LabelSelectorRule, ...] = ()
    """Rules on labels, as in Kubernetes."""

    @model_validator(mode="after")
    def _said(self) -> Self:
        by_label = bool(self.match_labels or self.match_expressions)
        if not (self.all or self.names or by_label):
            raise wrong(
                "this selector says nothing", "write all: true, names, matchLabels or matchExpressions"
            )
        if self.all and (self.names or by_label):
            raise wrong("all: true cannot stand beside other conditions", "remove all, or the others", "all")
        return self

    def chooses(self, name: str, labels: Mapping[str, str]) -> bool:
        """Say whether the selector chooses a document with this name and these labels."""
        if self.names and name not in self.names:
            return False
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            rule.holds(labels) for rule in self.match_expressions
        )


class SecretRef(Model):
    """Where a secret is found when it is needed; the value itself never stands in intent."""

    env: Text | None = None
    """Environment variable of the applier."""
    file: Text | None = None
    """File on the applier."""
    kubernetes: SecretName | None = None
    """Kubernetes Secret, as namespace/name/key."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(place is not None for place in (self.env, self.file, self.kubernetes)) != 1:
            raise wrong("a secret is referred to by exactly one of env, file and kubernetes")
        return self

    def __str__(self) -> str:
        """Write the reference; there is no value to leak."""
        return (
            f"env:{self.env}"
            if self.env
            else f"file:{self.file}"
            if self.file
            else f"kubernetes:{self.kubernetes}"
        )


@cache
def _ways_to_secrets(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the fields of a model that can hold a secret, directly or deeper."""
    return tuple(
        name
        for name, info in model.model_fields.items()
        if any(inner is SecretRef or _ways_to_secrets(inner) for inner in models_in(info.annotation))
    )


def holds_secret(value: Any) -> bool:
    """Say whether a reference to a secret stands in the validated value of a document."""
    if isinstance(value, SecretRef):
        return True
    if isinstance(value, BaseModel):
        return any(holds_secret(getattr(value, name)) for name in _ways_to_secrets(type(value)))
    if isinstance(value, dict):
        return any(map(holds_secret, value.values()))
    return isinstance(value, tuple | list) and any(map(holds_secret, value))


class Metadata(Model):
    """What every document says of itself."""

    name: Name
    """Unique among the documents of its kind."""
    uid: Name | None = None
    """Stable identity: leases follow it when the document is renamed. The name, where it is not given."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels for selectors."""
    annotations: dict[str, str] = Field(default_factory=dict)
    """Notes for people and other tools; never interpreted."""
    moved: tuple[Text, ...] = ()
    """Earlier names of the document, or of a part of it as `part/old=new` (`subnet/old=new`)."""
    protect: bool = Field(default=False, strict=True)
    """Nothing of it is deleted or replaced without a named approval."""


@dataclass(frozen=True, slots=True, eq=False)
class Intent:
    """One validated document of one kind, with its places."""

    kind: str
    name: str
    meta: Metadata
    spec: Any
    """The validated model of the kind."""
    doc: Document
    words: Mapping[str, str] = field(default_factory=dict)
    """What the braces of a ranged document were replaced by (`{n}` → 7)."""

    @property
    def uid(self) -> str:
        """The stable identity: what ledger leases and resources are named after."""
        return self.meta.uid or self.name

    @property
    def subject(self) -> str:
        """Kind and stable identity, as one path."""
        return f"{self.kind}/{self.uid}"

    def span(self, *path: str | int, key: bool = False) -> Span:
        """Return the place of a field (of its key), or of the deepest part of the path that was written."""
        return self.doc.span(path, key=key)


class Origin(NamedTuple):
    """Why a field of a rendered object has its value: a place in intent, and the rule where it is not copied.

    `field` is a dotted path in the rendered object; empty stands for the object as a whole.
    """

    field: str
    intent: Intent
    path: FieldPath = ()
    rule: str = ""

    @property
    def span(self) -> Span:
        """Return the place in intent."""
        return self.intent.doc.span(self.path)

    @property
    def subject(self) -> str:
        """Return the subject of the document."""
        return self.intent.subject


class LazyOrigins(Sequence[Origin]):
    """Origins that are made when somebody first reads them: of most objects nobody does.

    `make` is pure: whoever reads, whenever and how often, finds the same.
    """

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Iterable[Origin]]) -> None:
        """Take what makes them."""
        self._make = make
        self._made: tuple[Origin, ...] | None = None

    def _all(self) -> tuple[Origin, ...]:
        if self._made is None:
            self._made = tuple(self._make())
        return self._made

    def __iter__(self) -> Iterator[Origin]:
        """Yield them."""
        return iter(self._all())

    def __len__(self) -> int:
        """Count them."""
        return len(self._all())

    @overload
    def __getitem__(self, index: int) -> Origin: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Origin, ...]: ...

    def __getitem__(self, index: int | slice) -> Origin | tuple[Origin, ...]:
        """Return one of them, or some."""
        return self._all()[index]

    def __repr__(self) -> str:
        """Write them as the tuple that they are."""
        return repr(self._all())
