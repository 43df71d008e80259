"""A call as a plain document, for any store that keeps maps; driven by the dataclasses themselves.

What is written for a class is compiled once, from its fields and their types: a new field of `Call`, or of a class
within it, needs nothing here. A field at its default, or None, is left out. What only a later version knows survives.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from functools import partial
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from ttsprompt.domain.model import Call, TimelineEntry
from ttsprompt.errors import CorruptRecordError

Document = dict[str, Any]
Convert = Callable[[Any], Any]

KEY: Final = "tid"
"""The field that is the document's name, and so not in it."""

FLAT: Final = frozenset({"secrets", "verdict"})
"""Parts whose fields lie at the top of the document, where earlier versions look for them."""

AS_TEXT: Final = frozenset({TimelineEntry})
"""Lists of these are one JSON text, as nothing asks for their parts.

As nested values they would be most of what Firestore's client converts and copies in each webhook.
"""

FIRST_EDITION: Final = {"tries_allowed": "attempts_allowed", "tries_made": "attempts_made"}
"""What 0.1 called some fields. Its records are read; what is written has the present names."""

_to_text: Final = json.JSONEncoder(separators=(",", ":")).encode


def to_document(call: Call, over: Mapping[str, Any] | None = None) -> Document:
    """Return the document of a call; the tid is its key and not in it.

    `over` is the document that it replaces: what is unknown there is kept, in nested maps and lists of maps too.
    """
    plan = _plan(type(call))
    document = plan.encode(call)
    if over:
        plan.keep_unknown(document, over, call)
    return document


def from_document(tid: str, document: Mapping[str, Any], kind: type[Call] = Call) -> Call:
    """Return the call of a document. Fields that it does not know are left alone, so that a roll-back can read it.

    Raises:
        CorruptRecordError: a field is missing or makes no sense, or holds a word of a later version.
    """
    try:
        call: Call = _plan(kind).decode(document, {KEY: tid})
    except (KeyError, TypeError, ValueError, AttributeError):
        if FIRST_EDITION.keys() & document.keys() and not {*FIRST_EDITION.values()} & document.keys():
            return from_document(tid, _renamed(document), kind)
        raise CorruptRecordError(tid) from None
    return call


def _renamed(document: Mapping[str, Any]) -> Document:
    """Return a document of the first edition with the present names, in its parts too."""
    return {
        FIRST_EDITION.get(name, name): _renamed(part) if isinstance(part, Mapping) else part
        for name, part in document.items()
    }


class _Plan:
    """How the fields of one class are written and read."""

    def __init__(self, kind: type[Any], *, in_text: bool) -> None:
        hints = get_type_hints(kind)
        fields = [field for field in dataclasses.fields(kind) if field.name != KEY]
        self._kind = kind
        self._flat: dict[str, _Plan] = {}
        self._nested: dict[str, tuple[_Plan, bool]] = {}
        self._absent: Document = {}
        self._rest: str | None = None
        self._readers: dict[str, tuple[type[Any] | None, Convert]] = {}
        writers = []
        for field in fields:
            name, (hint, is_optional), default = field.name, _without_none(hints[field.name]), _default(field)
            if is_optional and default is dataclasses.MISSING:
                self._absent[name] = None
            elif is_optional and default is not None:
                raise TypeError(f"{kind.__name__}.{name}: None could not be told from the default")
            if get_origin(hint) is Mapping:
                self._rest = name
                continue
            write, read, exact = self._converters(name, hint, in_text=in_text)
            if name in self._flat:
                continue
            self._readers[name] = exact, read
            writers.append((name, default, write))
        self._writers = tuple(writers)
        # One name more than there are writers, as of a single one there would be no tuple.
        self._values = attrgetter(*(name for name, _, _ in writers), fields[0].name)
        self.first = fields[0].name
        self.known: frozenset[str] = frozenset(self._readers).union(*(part.known for part in self._flat.values()))

    def encode(self, value: Any) -> Document:
        """Return the document of a value."""
        document = {}
        for (name, default, write), part in zip(self._writers, self._values(value), strict=False):
            if part is not None and part is not default and part != default:
                document[name] = part if write is None else write(part)
        if self._rest is not None:
            document |= getattr(value, self._rest)
        if self._flat:
            for name, plan in self._flat.items():
                part = getattr(value, name)
                if part is not None:
                    document |= plan.encode(part)
        return document

    def decode(self, document: Mapping[str, Any], given: Mapping[str, Any] | None = None) -> Any:
        """Return the value of a document; `given` are fields that are not in it."""
        fields: Document = {**self._absent, **given} if given else self._absent.copy()
        rest = {}
        find = self._readers.get
        for name, value in document.items():
            how = find(name)
            if how is None:
                rest[name] = value
            elif type(value) is how[0]:
                fields[name] = value
            elif value is not None:
                fields[name] = how[1](value)
        if rest:
            for name, plan in self._flat.items():
                if plan.first in rest:
                    fields[name] = plan.decode(rest)
        if self._rest is not None:
            fields[self._rest] = rest
        return self._kind(**fields)

    def keep_unknown(self, document: Document, before: Mapping[str, Any], value: Any) -> None:
        """Add to `document`, which is the one of `value`, what only `before` has and this version does not know."""
        for name in before.keys() - self.known:
            document[name] = before[name]
        for name, (plan, is_list) in self._nested.items():
            part, earlier = getattr(value, name), before.get(name)
            if part is None or not earlier:
                continue
            if is_list:
                if name in document and any(item.keys() - plan.known for item in earlier):
                    document[name] = [plan.same_in(earlier, item) for item in document[name]]
                continue
            kept = document.get(name, {})
            plan.keep_unknown(kept, earlier, part)
            if kept:
                document[name] = kept

    def same_in(self, earlier: list[Document], item: Document) -> Document:
        """Return what is the same as `item` in an earlier list, unknown fields and all; else the item."""
        for other in earlier:
            if {name: value for name, value in other.items() if name in self.known} == item:
                return other
        return item

    def _converters(self, name: str, hint: Any, *, in_text: bool) -> tuple[Convert | None, Convert, type[Any] | None]:
        """Return how a value is written (None: as it is) and read, and the class that needs no reading."""
        if get_origin(hint) is tuple:
            (item, _) = get_args(hint)
            if item in AS_TEXT:
                plan = _plan(item, in_text=True)
                return partial(_write_text, plan.encode), partial(_read_text, plan.decode), None
            write, read, _ = self._converters(name, item, in_text=in_text)
            if name in self._nested:
                self._nested[name] = self._nested[name][0], True
            return partial(_write_list, write), partial(_read_list, read), None
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            plan = _plan(hint, in_text=in_text)
            if name in FLAT:
                self._flat[name] = plan
            else:
                self._nested[name] = plan, False
            return plan.encode, plan.decode, None
        if isinstance(hint, type) and issubclass(hint, Enum):
            return attrgetter("_value_"), {member.value: member for member in hint}.__getitem__, None
        if hint is datetime:
            return (datetime.isoformat, _time_of_text, None) if in_text else (None, _time, None)
        if hint in {str, int, bool}:
            return None, _exactly(hint), hint
        raise TypeError(f"{self._kind.__name__}.{name}: no way to write {hint}")


_plans: Final[dict[tuple[type[Any], bool], _Plan]] = {}


def _plan(kind: type[Any], *, in_text: bool = False) -> _Plan:
    plan = _plans.get((kind, in_text))
    if plan is None:
        plan = _plans[kind, in_text] = _Plan(kind, in_text=in_text)
    return plan


def _without_none(hint: Any) -> tuple[Any, bool]:
    """Return the type without None, and whether None was one of its values."""
    if get_origin(hint) not in {Union, UnionType}:
        return hint, False
    others = [kind for kind in get_args(hint) if kind is not NoneType]
    return others[0] if len(others) == 1 else hint, len(others) < len(get_args(hint))


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _write_list(write: Convert | None, items: tuple[Any, ...]) -> list[Any]:
    return list(items) if write is None else [write(item) for item in items]


def _read_list(read: Convert, items: Any) -> tuple[Any, ...]:
    return tuple([read(item) for item in items])


def _write_text(write: Convert, items: tuple[Any, ...]) -> str:
    return _to_text([write(item) for item in items])


def _read_text(read: Convert, text: str) -> tuple[Any, ...]:
    return tuple([read(item) for item in json.loads(text)])


def _exactly(kind: type[Any]) -> Convert:
    def read(value: object) -> object:
        if type(value) is not kind:
            raise TypeError(f"not a {kind.__name__}")
        return value

    return read


def _time(value: object) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("not a time")
    return value


def _time_of_text(text: str) -> datetime:
    return _time(datetime.fromisoformat(text))
