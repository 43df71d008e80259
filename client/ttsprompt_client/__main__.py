"""`python -m ttsprompt_client` is the command `ttsprompt`."""

from ttsprompt_client.cli import run

run()
