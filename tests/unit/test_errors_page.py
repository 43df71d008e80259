"""docs/errors.md tells of each code that there is, and of no other; titles and details do not repeat each other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ttsprompt import errors
from ttsprompt.call_request import LIBRARY_FAULTS
from ttsprompt.service.prompt_warnings import COSTS
from ttsprompt.web import problems

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
API = (ROOT / "docs/api.md").read_text(encoding="utf-8")
WARNINGS = "ttsprompt/service/prompt_warnings.py"
CODE_AT = {"fault": 0, "Matches": 1, "FieldFault": 1}
"""What makes a fault, and which of its arguments is the code."""


def calls_in_the_code() -> Iterator[tuple[str, str, ast.Call]]:
    """Return each call in the service's source, with its file and the name that is called."""
    for path in sorted(ROOT.glob("ttsprompt/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                yield str(path.relative_to(ROOT)), name, node


def literal(node: ast.expr) -> str | None:
    """Return a text of the source, without what is filled in; None if it is computed."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(literal(part) or "_" for part in parts)
        case ast.BinOp(left=left, right=right):
            return f"{literal(left) or ''}{literal(right) or ''}" or None
    return None


def codes_of_fields(*, warnings: bool) -> set[str]:
    """Return the codes of all faults of fields, or of all warnings, that the code makes."""
    found = set() if warnings else {code for code, _ in LIBRARY_FAULTS.values()}
    for file, name, call in calls_in_the_code():
        if name in CODE_AT and (file == WARNINGS) is warnings and len(call.args) > CODE_AT[name]:
            found |= {code for code in [literal(call.args[CODE_AT[name]])] if code is not None}
    return found


def sections() -> dict[str, str]:
    """Return the text below each heading that is a code."""
    return dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


def test_each_code_has_a_heading_and_each_heading_a_code() -> None:
    """So a problem's `type` leads somewhere: its last part is the anchor."""
    headings = re.findall(r"^### (.+)$", PAGE, re.MULTILINE)

    assert sorted(headings) == sorted(f"`{code}`" for code in problems.STATUSES)


@pytest.mark.parametrize("code", problems.STATUSES)
def test_a_codes_statuses_are_the_ones_that_it_comes_with(code: str) -> None:
    assert sorted(map(int, re.findall(r"\*\*(\d{3})", sections()[code]))) == sorted(problems.STATUSES[code])


@pytest.mark.parametrize("code", problems.STATUSES)
def test_a_code_tells_its_remedy_and_whether_somebody_was_phoned(code: str) -> None:
    assert sections()[code].count("*Remedy") == 1
    assert sections()[code].count("*Phoned:*") == 1


def test_a_code_tells_of_retry_after_where_it_carries_it() -> None:
    soon = {kind.code for kind in problems.SOON}
    waits = soon | {code for code, statuses in problems.STATUSES.items() if 429 in statuses}

    assert {code for code, text in sections().items() if "with `Retry-After`" in text} == waits


def test_a_problems_type_is_the_same_everywhere_and_ends_with_its_code() -> None:
    answer = problems.problem(errors.NoCallbackError()).get_json(force=True)

    assert answer["type"] == "urn:ttsprompt:problem:no_callback"
    assert f"`{problems.TYPE}`" in PAGE


def test_each_code_of_a_field_is_in_the_table_and_nothing_else_is() -> None:
    table = PAGE.partition("## Codes of fields")[2]
    made = codes_of_fields(warnings=False)

    assert {"required", "invalid_ssml", "private_address", "invalid_private_key", "vendor", "repeated"} <= made
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == made


def test_each_warning_of_a_dry_run_is_in_the_apis_table() -> None:
    table = API.partition("| Warning |")[2].partition("\n\n")[0]
    # Passed on, not made there: what each detection costs, and what is wrong with a credential.
    others = {code for code, _ in COSTS.values()} | {errors.UnauthenticatedError.code}

    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == codes_of_fields(warnings=True) | others


def stems(text: str) -> set[str]:
    """Return the words that carry a text's sense, without their endings."""
    return {word[:5] for word in re.findall(r"[a-z]{3,}", text.lower())} - {"the", "too", "has", "not", "for", "was"}


def details() -> list[tuple[str, str]]:
    """Return each pair of title and detail that the source has."""
    pairs = [(problems.TITLES["internal"], problems.INTERNAL_DETAIL)]
    titles = {kind.__name__: problems.TITLES[kind.code] for kind in problems.STATUS}
    for _, name, call in calls_in_the_code():
        if name in titles and call.args and (text := literal(call.args[0])):
            pairs.append((titles[name], text))
    for node in ast.walk(ast.parse((ROOT / "ttsprompt/errors.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and node.name in titles:
            calls = [n for n in ast.walk(node) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
            texts = [literal(call.args[0]) for call in calls if call.args and call.func.attr == "__init__"]  # type: ignore[attr-defined]
            pairs += [(titles[node.name], text) for text in texts if text]
    return pairs


def repeats(title: str, detail: str) -> bool:
    """Tell whether more than half of what a title says is said again."""
    said = stems(title)
    return len(said & stems(detail)) > len(said) / 2


def test_no_detail_repeats_its_title() -> None:
    pairs = details()

    assert len(pairs) > 40
    assert [pair for pair in pairs if repeats(*pair)] == []


@pytest.mark.parametrize(
    ("title", "detail"),
    [
        ("Vonage gave no clear answer", "Vonage gave no clear answer; the phone may be ringing."),
        ("There is no outcome yet", "The call is not settled yet: there is no outcome."),
        ("The request cannot be read", "The request cannot be read."),
        ("There is no callback", "The call has no callback, so there is nothing to deliver: fetch its outcome."),
    ],
)
def test_a_repetition_is_seen(title: str, detail: str) -> None:
    assert repeats(title, detail)


def test_kinds_of_errors_have_titles_of_their_own() -> None:
    titles = list(problems.TITLES.values())

    assert sorted(titles) == sorted(set(titles))
