"""What a later version of the API's description may not take from one that was released (docs/compatibility.md).

What callers send is to be taken as before, and what they get is to be what they were told. In a request a field may
become optional, gain a value or a wider range; in an answer there may be more fields, and no new values in old ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Final

METHODS: Final = ("get", "post", "put", "delete", "patch")
Schema = Mapping[str, Any]

_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_AS_THEY_ARE: Final = ("pattern", "format", "dependentSchemas")
"""Rules of which nobody can tell by reading which of two is the wider: they may be dropped, and not changed."""


@dataclass(frozen=True)
class Side:
    """One of the two documents."""

    document: Schema
    is_released: bool

    def follow(self, schema: Schema) -> Schema:
        """Return a schema with its references followed."""
        while "$ref" in schema:
            found: Any = self.document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            schema = found | {name: value for name, value in schema.items() if name != "$ref"}
        return schema


def broken(old: Schema, new: Schema) -> list[str]:
    """Return what clients of the old description would miss in the new one, or meet in it without having been told."""
    return sorted({*_operations(old, new), *_names(old, new)})


def _names(old: Schema, new: Schema) -> Iterator[str]:
    """Generated clients name their classes by these."""
    for name in old["components"]["schemas"].keys() - new["components"]["schemas"].keys():
        yield f"{name}: gone"


def _operations(old: Schema, new: Schema) -> Iterator[str]:
    was, now = Side(old, is_released=True), Side(new, is_released=False)
    for part in ("paths", "webhooks"):
        for path, item in old[part].items():
            for method in (method for method in METHODS if method in item):
                where = f"{method.upper()} {path}"
                after = new[part].get(path, {}).get(method)
                if after is None:
                    yield f"{where}: gone"
                    continue
                # The caller receives a webhook, and sends all else.
                yield from _request(was, now, item[method], after, where, sends=part == "paths")
                yield from _answers(was, now, item[method], after, where)


def _request(was: Side, now: Side, before: Schema, after: Schema, where: str, *, sends: bool) -> Iterator[str]:
    for name in ("operationId", "tags"):
        if before.get(name) != after.get(name):
            yield f"{where}: {name} is another one"
    for way in before.get("security", ()):
        if way not in after.get("security", ()):
            yield f"{where}: {way} no longer suffices"
    yield from _parameters(was, now, before, after, where)
    yield from _body(was, now, before.get("requestBody", {}), after.get("requestBody", {}), where, sends=sends)


def _parameters(was: Side, now: Side, before: Schema, after: Schema, where: str) -> Iterator[str]:
    known, there = (
        {(each["in"], each["name"]): each for each in operation.get("parameters", ())} for operation in (before, after)
    )
    for key, parameter in known.items():
        if key not in there:
            yield f"{where} {key[1]}: gone"
        else:
            yield from _fits(was, parameter["schema"], now, there[key]["schema"], f"{where} {key[1]}")
    for key, parameter in there.items():
        if parameter.get("required") and not known.get(key, {}).get("required"):
            yield f"{where} {key[1]}: now required"


def _body(was: Side, now: Side, before: Schema, after: Schema, where: str, *, sends: bool) -> Iterator[str]:
    if after.get("required") and not before.get("required"):
        yield f"{where} body: now required"
    for kind, media in before.get("content", {}).items():
        if kind not in after.get("content", {}):
            yield f"{where} {kind}: no longer taken"
            continue
        old, new = (was, media["schema"]), (now, after["content"][kind]["schema"])
        narrow, wide = (old, new) if sends else (new, old)
        yield from _fits(*narrow, *wide, f"{where} body")


def _answers(was: Side, now: Side, before: Schema, after: Schema, where: str) -> Iterator[str]:
    for status, response in before["responses"].items():
        place = f"{where} {status}"
        found = after["responses"].get(status)
        if found is None:
            yield f"{place}: gone"
            continue
        for name in response.get("headers", {}).keys() - found.get("headers", {}).keys():
            yield f"{place} {name}: gone"
        for kind, media in response.get("content", {}).items():
            other = found.get("content", {}).get(kind)
            if other is None:
                yield f"{place} {kind}: gone"
                continue
            # Of a problem there is an example for each code.
            if kind == "application/problem+json":
                for code in media["examples"].keys() - other["examples"].keys():
                    yield f"{place} {code}: gone"
            yield from _fits(now, other["schema"], was, media["schema"], place)


def _fits(narrow_in: Side, narrow: Schema, wide_in: Side, wide: Schema, where: str) -> Iterator[str]:
    """Yield why not all that is valid by `narrow` is valid by `wide`, or a field of either is unknown to the other."""
    narrow, wide = narrow_in.follow(narrow), wide_in.follow(wide)
    if "anyOf" in narrow:
        for choice in narrow["anyOf"]:
            yield from _fits(narrow_in, choice, wide_in, wide, where)
        return
    if "anyOf" in wide:
        faults = [list(_fits(narrow_in, narrow, wide_in, choice, where)) for choice in wide["anyOf"]]
        if all(faults):
            yield from min(faults, key=len)
        return
    yield from _values(narrow, wide, where)
    of_narrow, of_wide = narrow.get("properties", {}), wide.get("properties", {})
    released, other = (of_wide, of_narrow) if wide_in.is_released else (of_narrow, of_wide)
    for name in released.keys() - other.keys():
        yield f"{where}.{name}: gone"
    for name in of_narrow.keys() & of_wide.keys():
        yield from _fits(narrow_in, of_narrow[name], wide_in, of_wide[name], f"{where}.{name}")
    for name in set(wide.get("required", ())) - set(narrow.get("required", ())):
        yield f"{where}.{name}: required on one side alone"
    if "items" in wide:
        yield from _fits(narrow_in, narrow.get("items", {}), wide_in, wide["items"], f"{where}[]")


def _values(narrow: Schema, wide: Schema, where: str) -> Iterator[str]:
    yield from _limits(narrow, wide, where)
    types = {"number", "integer"} if wide.get("type") == "number" else {wide.get("type")}
    if "type" in wide and narrow.get("type") not in types:
        yield f"{where}: of type {narrow.get('type')} and of type {wide['type']}"
    if (allowed := _named(wide)) is not None and not (named := _named(narrow) or {"any other"}) <= allowed:
        yield f"{where}: {', '.join(sorted(map(str, named - allowed)))} on one side alone"
    if wide.get("additionalProperties") is False and narrow.get("additionalProperties", True) is not False:
        yield f"{where}: closed to other fields"
    if "default" in wide and "default" in narrow and wide["default"] != narrow["default"]:
        yield f"{where}: another default"


def _limits(narrow: Schema, wide: Schema, where: str) -> Iterator[str]:
    for name in _AS_THEY_ARE:
        if name in wide and wide[name] != narrow.get(name):
            yield f"{where}: another {name}"
    for names, limit, sign in ((_UPPER, inf, 1), (_LOWER, -inf, -1)):
        for name in (name for name in names if name in wide):
            if sign * narrow.get(name, limit) > sign * wide[name]:
                yield f"{where}: another {name}"


def _named(schema: Schema) -> set[Any] | None:
    if "const" in schema:
        return {schema["const"]}
    return set(schema["enum"]) if "enum" in schema else None
