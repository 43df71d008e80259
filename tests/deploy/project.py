"""A checkout, an operator, and a Google Cloud project to deploy to."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.deploy.commands import ROOT
from tests.deploy.google.cloud import PROJECT, START, Cloud
from tests.deploy.google.machine import Machine

_NOT_OURS = shutil.ignore_patterns(
    ".git", ".venv*", "__pycache__", ".*_cache", ".hypothesis", ".coverage*", "*.db*", "build"
)
P = f"projects/{PROJECT}"
L = f"{P}/locations/us-central1"
APIS = (
    "artifactregistry",
    "cloudbuild",
    "cloudfunctions",
    "cloudresourcemanager",
    "cloudscheduler",
    "iam",
    "logging",
    "monitoring",
    "run",
    "secretmanager",
    "storage",
)
BOUND = ("build", "run")


class Checkout:
    """A git repository with what is here, to be changed and committed at will."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT, folder, ignore=_NOT_OURS)
        self._git("init", "--quiet")
        self.commit()

    def configure(self, environment: str = "prod", **settings: str) -> None:
        lines = "".join(f"{name}={value}\n" for name, value in settings.items())
        (self.folder / f"deploy/env/{environment}.env").write_text(lines)
        self.commit()

    def release(self, version: str) -> None:
        """Make another version of the service."""
        module = self.folder / "ttsprompt/__init__.py"
        lines = module.read_text().splitlines()
        changed = [f'__version__ = "{version}"' if line.startswith("__version__") else line for line in lines]
        module.write_text("\n".join(changed) + "\n")
        self.commit()

    def commit(self) -> None:
        self._git("add", "--all")
        self._git(
            "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "--quiet", "--allow-empty", "-m", "x"
        )

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.folder, check=True, capture_output=True)


class Project:
    """An operator with a checkout, and a project that is theirs."""

    def __init__(self, folder: Path, **cloud: Any) -> None:
        self.cloud = Cloud(**cloud)
        (folder / "machines").mkdir()
        self.machine = Machine(folder / "machines", self.cloud)
        self.checkout = Checkout(folder / "checkout")

    def make(self, target: str, *, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        arguments = " ".join(
            f"{name}={value}" for name, value in ({"ENV": "prod", "PROJECT": PROJECT} | variables).items()
        )
        return self.sh(f"make --no-print-directory {target} {arguments}", check=check)

    def sh(self, command: str, *, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.machine.sh(command, cwd=self.checkout.folder, check=check, **environment)

    def bootstrapped(self) -> None:
        """Put there, long ago, what bootstrap makes and a function's deployment needs."""
        cloud = self.cloud
        cloud.apis = {f"{api}.googleapis.com": START for api in APIS}
        for name in ("run", "setup", "scheduler", "build"):
            email = f"ttsprompt-{name}@{PROJECT}.iam.gserviceaccount.com"
            cloud.put(f"{P}/serviceAccounts/{email}", {"email": email})
        builder, runner = (f"serviceAccount:ttsprompt-{name}@{PROJECT}.iam.gserviceaccount.com" for name in BOUND)
        for role in ("logging.logWriter", "storage.objectAdmin", "artifactregistry.writer"):
            cloud.bindings[P][f"roles/{role}", builder] = START
        cloud.bindings[P]["roles/datastore.user", runner] = START
        cloud.put(f"{L}/repositories/ttsprompt", {})
        cloud.put(f"{P}/databases/(default)", {"type": "FIRESTORE_NATIVE"})
        secret = f"{P}/secrets/ttsprompt-callback-signing-secrets"
        cloud.put(secret, {"name": secret})
        cloud.put(f"{secret}/versions/1", {"name": f"{secret}/versions/1", "state": "ENABLED"})
        cloud.uploads[f"{secret}/versions/1"] = b"whsk_" + base64.b64encode(bytes(32))
        cloud.bindings[secret] = {("roles/secretmanager.secretAccessor", runner): START}
        cloud.advance(3600)

    def service(self, name: str = "ttsprompt") -> dict[str, Any]:
        return self.cloud.get(f"{L}/services/{name}")

    def policies(self) -> dict[str, dict[str, Any]]:
        """Return the alerts by label."""
        return {each["userLabels"]["ttsprompt"]: each for each in self.cloud.under(f"{P}/alertPolicies")}

    def roles(self, account: str, resource: str = P) -> set[str]:
        member = f"serviceAccount:ttsprompt-{account}@{PROJECT}.iam.gserviceaccount.com"
        return {role for role, who in self.cloud.bindings.get(resource, {}) if who == member}
