"""Imports that come late, because they are slow and most requests do not need them.

One lock for all of them: two threads that import packages with cyclic imports in different order can each find the
other's modules half made (importlib breaks such a deadlock by letting one see a partial module).
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.RLock()


def attribute(path: str) -> Any:
    """Return what `module:name` names; the module is imported now, one thread at a time."""
    module, _, name = path.partition(":")
    with _lock:
        return getattr(importlib.import_module(module), name)


def once(make: Callable[[], T]) -> Callable[[], T]:
    """Return a function that returns what `make` returned when it was first asked, one thread at a time."""
    made: list[T] = []

    def get() -> T:
        if not made:
            with _lock:
                if not made:
                    made.append(make())
        return made[0]

    return get
