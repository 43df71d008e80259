from __future__ import annotations

from typing import Any

import pytest

from devphone.vendor.speech import FOREVER_S, speech_s


@pytest.mark.parametrize(
    ("talk", "seconds"),
    [
        ({"text": "x" * 28}, 2),
        ({"text": "x" * 14, "loop": 3}, 3),
        ({"text": "x", "loop": 0}, FOREVER_S),
        ({"text": "x", "loop": 10**6}, 10**6 / 14),
        ({"text": "x" * 1500, "loop": 10**6}, FOREVER_S),
        ({"text": f"<speak>{'x' * 14}<break time='1.5s'/><break time=\"500ms\"/></speak>"}, 3),
    ],
)
def test_a_talk_takes_as_long_as_its_letters_breaks_and_loops(talk: dict[str, Any], seconds: float) -> None:
    assert speech_s(talk) == pytest.approx(seconds)
