"""The caller's side of ttsprompt: place a call, follow it to its outcome, verify a callback.

    client = Client("https://…", application_id, Path("private.key"))
    outcome = client.call(to="+44…", from_="+44…", text="Enter your PIN.", pin_code="1234")
    if outcome.is_ok: …

Everything public is named in `__all__`; the modules may move.
"""

__version__ = "1.0.0"

from ttsprompt_client.client import Client
from ttsprompt_client.errors import (
    ClientError,
    Fault,
    InterruptedCall,
    NotPlacedError,
    RefusedError,
    UnclearError,
    UsageError,
    VerificationError,
)
from ttsprompt_client.fields import CallFields
from ttsprompt_client.outcome import Call, Outcome, Placement, Status
from ttsprompt_client.verification import verify

__all__ = [
    "Call",
    "CallFields",
    "Client",
    "ClientError",
    "Fault",
    "InterruptedCall",
    "NotPlacedError",
    "Outcome",
    "Placement",
    "RefusedError",
    "Status",
    "UnclearError",
    "UsageError",
    "VerificationError",
    "verify",
]
