"""`python -m devphone`."""

from __future__ import annotations

import sys

from devphone.commands.cli import main

if __name__ == "__main__":
    sys.exit(main())
