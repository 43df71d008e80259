"""The machines on which commands run: the operator's, and those of Cloud Build."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.deploy.google import basics, build, functions, run, watch
from tests.deploy.google.cloud import NUMBER, OWNER, PROJECT, Cloud
from tests.deploy.google.proxy import Proxy, Reply, Request
from tests.deploy.google.run import GCLOUD, Front, id_token
from tests.deploy.google.runtime import Runtime
from tests.deploy.google.tail import serve
from tests.deploy.log_filter import entry_of

APIS = (basics, build, functions, run, watch)  # each has registered what it answers

_CLIENT = """
import array, json, os, socket, sys
asked = {"arguments": sys.argv[1:], "environment": dict(os.environ), "cwd": os.getcwd()}
connection = socket.socket(socket.AF_UNIX)
connection.connect("PATH")
files = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))
connection.sendmsg([json.dumps(asked).encode() + b"\\n"], [files])
sys.exit((connection.recv(1) or b"\\x01")[0])
"""


class Machine:
    """A cloud, and where commands run that believe in it."""

    def __init__(self, folder: Path, cloud: Cloud) -> None:
        self._folder = folder
        self.operator = OWNER
        self.cloud = cloud
        cloud.machine = self
        cloud.front = Front(cloud)
        cloud.runtime = Runtime(self.new_folder("runtime"), self._wrote)
        self._proxy = Proxy(self.new_folder("proxy"), self._answer)
        self._grpc, self._proxy.grpc_port = serve(cloud, self._proxy.pem)
        self._bin = self.new_folder("bin")
        self._credential = self._bin / "operator.json"
        self._credential.write_text(
            json.dumps({"type": "authorized_user", "client_id": GCLOUD, "client_secret": "x", "refresh_token": "x"})
        )
        self._gcloud = self._fork_gcloud()
        self._script("sleep", f'exec curl -sS -X POST "http://127.0.0.1:{self._proxy.port}/sleep/$1"\n')

    def _fork_gcloud(self) -> subprocess.Popen[bytes]:
        """Put a `gcloud` into the path that has everything imported already."""
        asked = "value[separator=' '](installation.sdk_root,basic.python_location)"
        info = subprocess.run(
            ["gcloud", "info", f"--format={asked}"], env=self.environment(), capture_output=True, text=True, check=True
        )
        root, python = info.stdout.split()
        path = self._bin / "gcloud.socket"
        server = subprocess.Popen(
            [python, Path(__file__).with_name("fork_gcloud.py"), root, path], stdin=subprocess.PIPE
        )
        (self._bin / "gcloud").write_text(f"#!{sys.executable} -IS\n" + _CLIENT.replace("PATH", str(path)))
        (self._bin / "gcloud").chmod(0o755)
        while not path.exists():
            time.sleep(0.05)
        return server

    def new_folder(self, name: str) -> Path:
        number = len(list(self._folder.iterdir()))
        folder = self._folder / f"{name}-{number}"
        folder.mkdir(parents=True)
        return folder

    def _script(self, name: str, body: str) -> None:
        (self._bin / name).write_text(f"#!/bin/sh\n{body}")
        (self._bin / name).chmod(0o755)

    def environment(self, email: str = "") -> dict[str, str]:
        """Return the environment of a build's step, or of the operator."""
        port = str(self._proxy.port)
        common = {
            "PATH": f"{self._bin}:{os.environ['PATH']}",
            "HOME": str(self._folder),
            "CLOUDSDK_CONFIG": str(self.new_folder("config")),
            "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": str(self._proxy.ca),
            "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
            "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
            "CLOUDSDK_PROXY_TYPE": "http",
            "CLOUDSDK_PROXY_ADDRESS": "127.0.0.1",
            "CLOUDSDK_PROXY_PORT": port,
            "CURL_CA_BUNDLE": str(self._proxy.ca),
            "HTTPS_PROXY": f"http://127.0.0.1:{port}",
        }
        if email:
            return common | {"GCE_METADATA_ROOT": f"127.0.0.1:{port}/as/{email}"}
        return common | {
            "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": str(self._credential),
            "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false",
        }

    def sh(
        self, command: str, *, cwd: Path, check: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the operator's."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=cwd,
            env=self.environment() | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=1500,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def stop(self) -> None:
        assert self._gcloud.stdin is not None
        self._gcloud.stdin.close()
        self._gcloud.wait(timeout=10)
        self._grpc.stop(None)
        self._proxy.stop()
        self.cloud.runtime.stop()

    def _wrote(self, service: str, line: dict[str, object]) -> None:
        entry = entry_of(line, service)
        self.cloud.keep(service, "stdout", {k: v for k, v in entry.items() if k in {"severity", "jsonPayload"}})

    def _answer(self, request: Request) -> Reply:
        if request.path.startswith("/sleep/"):
            self.cloud.advance(float(request.path.removeprefix("/sleep/")))
            return Reply()
        if request.host == "oauth2.googleapis.com":
            token = {
                "access_token": self.operator,
                "expires_in": 3000,
                "id_token": id_token(self.operator, GCLOUD),
                "token_type": "Bearer",
            }
            return Reply(200, json.dumps(token).encode())
        if request.path.startswith("/as/"):
            return _metadata(self.cloud, request)
        return self.cloud.answer(request)


def _metadata(cloud: Cloud, request: Request) -> Reply:
    """Answer as the metadata server of a build does."""
    _, _, email, _, _, path = request.path.split("/", 5)
    headers = {"Metadata-Flavor": "Google", "Content-Type": "application/text"}
    text = {
        "project/project-id": PROJECT,
        "project/numeric-project-id": NUMBER,
        "instance/service-accounts/default/email": email,
        f"instance/service-accounts/{email}/email": email,
        "instance/service-accounts": "default/\n" + email + "/",
        "instance/service-accounts/": "default/\n" + email + "/",
        "universe/universe-domain": "googleapis.com",
        "instance/zone": "projects/1/zones/us-central1-a",
    }.get(path)
    if path.endswith("/token"):
        text = json.dumps({"access_token": f"serviceAccount:{email}", "expires_in": 3000, "token_type": "Bearer"})
        headers["Content-Type"] = "application/json"
    elif path.endswith("/identity"):
        member, account = f"serviceAccount:{email}", f"projects/{PROJECT}/serviceAccounts/{email}"
        if cloud.may(member, "iam.serviceAccounts.getOpenIdToken", account):
            text = id_token(member, request.query["audience"])
    elif path.endswith("/scopes"):
        text = "https://www.googleapis.com/auth/cloud-platform"
    elif "recursive" in request.query:
        text = json.dumps({"email": email, "scopes": ["https://www.googleapis.com/auth/cloud-platform"]})
        headers["Content-Type"] = "application/json"
    return Reply(404, b"", headers) if text is None else Reply(200, text.encode(), headers)
