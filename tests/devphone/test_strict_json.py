from __future__ import annotations

import pytest

from devphone import strict_json


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"NaN", b"[-Infinity]", b'"\\ud800"', b'{"\\udfff": 1}', b"[" * 100_000]
)
def test_what_is_no_json_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        strict_json.loads(content)


def test_a_whole_surrogate_pair_is_a_letter() -> None:
    assert strict_json.loads(b'"\\ud83d\\ude00"') == "\N{GRINNING FACE}"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_other_encodings_than_plain_utf_8_are_refused(encoding: str) -> None:
    with pytest.raises(ValueError):
        strict_json.loads("[]".encode(encoding))
