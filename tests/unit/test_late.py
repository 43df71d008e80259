"""What is loaded and made late is so once, however many ask at once."""

from __future__ import annotations

import importlib
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest

from ttsprompt import late

ASKING = 8


def test_what_is_made_late_is_made_once_and_only_when_asked() -> None:
    made: list[object] = []
    together, twice = Barrier(ASKING), Event()

    def make() -> object:
        made.append(object())
        if len(made) > 1:
            twice.set()
        twice.wait(0.1)  # for another that comes in meanwhile, which is the fault
        return made[-1]

    get = late.once(make)
    assert made == []

    def ask(_: int) -> object:
        together.wait()
        return get()

    with ThreadPoolExecutor(ASKING) as pool:
        assert set(pool.map(ask, range(ASKING))) == {made[0]}
    assert len(made) == 1


def test_what_could_not_be_made_is_tried_again() -> None:
    failures = [ZeroDivisionError()]

    def make() -> str:
        if failures:
            raise failures.pop()
        return "made"

    get = late.once(make)
    with pytest.raises(ZeroDivisionError):
        get()

    assert get() == "made"


def test_a_module_is_loaded_when_something_of_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loaded_late.py").write_text("answer = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    monkeypatch.delitem(sys.modules, "loaded_late", raising=False)

    assert late.attribute("loaded_late:answer") == 42
