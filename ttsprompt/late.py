"""Imports that come late, because they are slow and most requests do not need them.

One lock for all of them: two threads that import packages with cyclic imports in different order can each find the
other's modules half made (importlib breaks such a deadlock by letting one see a partial module).
"""

from __future__ import annotations

import importlib
import threading

_lock = threading.RLock()


def load(*modules: str) -> None:
    """Import modules now, one thread at a time; an `import` after this finds them whole."""
    with _lock:
        for module in modules:
            importlib.import_module(module)
