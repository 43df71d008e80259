"""Prints the fields of `POST /call` as the table of docs/api.md: `python -m tests.tools.request_table`."""

from __future__ import annotations

from typing import Any

from ttsprompt.call_request import CallRequest

BEGIN = "<!-- request -->"
END = "<!-- /request -->"


def request_table() -> str:
    """Return a row for each field: what it means, its limits and its default, all from the model."""
    model = CallRequest.model_json_schema()
    rows = ["| Field | | |", "|---|---|---|"]
    for name, field in model["properties"].items():
        need = "required" if name in model["required"] else "optional"
        rows.append(f"| `{name}` | {need} | {' '.join([field['description'], *_limits(field)])} |")
    return "\n".join(rows)


def _limits(field: dict[str, Any]) -> list[str]:
    """Return "1 to 10", "default 3" and the like as one sentence, if there is anything to say."""
    rules = field | next((part for part in field.get("anyOf", []) if part.get("type") != "null"), {})
    found = []
    if "maxLength" in rules:
        least = f"{rules['minLength']} to" if "minLength" in rules else "at most"
        found.append(f"{least} {rules['maxLength']} characters")
    if "maximum" in rules:
        found.append(f"{rules['minimum']} to {rules['maximum']}")
    if field.get("default") not in {None, False}:
        found.append(f"default `{field['default']}`")
    rule = ", ".join(found)
    return [f"{rule[0].upper()}{rule[1:]}."] if rule else []


if __name__ == "__main__":
    print(request_table())  # noqa: T201 - printing is what this command is for
