"""Runs gcloud a few times faster: one process has imported it, and each command is a fork of that process.

It is gcloud's own code with the arguments, environment, folder and files of whoever asks, and ends when its standard
input is closed. Run by gcloud's own Python, with the SDK's root and a socket's path as arguments.
"""

import array
import importlib
import json
import os
import select
import socket
import sys

MODULES = (
    "googlecloudsdk.gcloud_main",
    "googlecloudsdk.api_lib.util.apis",
    "googlecloudsdk.calliope.cli",
    "googlecloudsdk.command_lib.util.apis.yaml_command_translator",
    "googlecloudsdk.api_lib.container.util",
    "googlecloudsdk.command_lib.projects.util",
    "googlecloudsdk.command_lib.util.args.repeated",
    "googlecloudsdk.command_lib.util.concepts.concept_parsers",
    "googlecloudsdk.core.credentials.google_auth_credentials",
    "googlecloudsdk.core.document_renderers.render_document",
    "googlecloudsdk.core.universe_descriptor.universe_descriptor",
    "googlecloudsdk.core.updater.update_manager",
    "googlecloudsdk.generated_clients.apis.cloudresourcemanager.v1.cloudresourcemanager_v1_messages",
    "googlecloudsdk.generated_clients.apis.monitoring.v3.monitoring_v3_messages",
    "googlecloudsdk.core.configurations.named_configs",
    "googlecloudsdk.core.credentials.requests",
    "googlecloudsdk.core.credentials.transports",
    "googlecloudsdk.core.credentials.store",
    "googlecloudsdk.core.resource.resource_printer",
    "apitools.base.py",
    "google.auth",
    "requests",
)
READ_THE_ENVIRONMENT = ("googlecloudsdk.core.credentials.gce_read", "google.auth.compute_engine._metadata")
"""Modules that do so when they are imported."""


def serve(path: str) -> None:
    """Fork for each connection until nobody is left who could ask."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(8)
    while True:
        ready, _, _ = select.select([server, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        connection, _ = server.accept()
        if os.fork() == 0:  # a child of a child, so that nobody has to wait for it
            server.close()
            if os.fork() == 0:
                run(connection)
            os._exit(0)
        connection.close()
        os.wait()


def run(connection: socket.socket) -> None:
    """Be one gcloud command."""
    descriptors = array.array("i")
    text, ancillary, _, _ = connection.recvmsg(1 << 20, socket.CMSG_LEN(3 * descriptors.itemsize))
    descriptors.frombytes(ancillary[0][2])
    while not text.endswith(b"\n"):
        text += connection.recv(1 << 20)
    asked = json.loads(text)
    os.setsid()
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
        os.close(descriptor)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["environment"], CLOUDSDK_ROOT_DIR=sys.argv[1])
    sys.argv = ["gcloud", *asked["arguments"]]
    code = 1
    try:
        for name in READ_THE_ENVIRONMENT:
            importlib.reload(sys.modules[name])
        sys.modules["googlecloudsdk.core.configurations.named_configs"].ActivePropertiesFile.Invalidate()
        code = sys.modules["googlecloudsdk.gcloud_main"].main() or 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(bytes([code & 0xFF]))
        os._exit(0)


def main() -> None:
    """Import gcloud as its own start-up script does, then serve."""
    root, path = sys.argv[1:]
    sys.path[:0] = [f"{root}/lib", f"{root}/lib/third_party"]
    if "google" in sys.modules:  # imported by a .pth file, from elsewhere
        importlib.reload(sys.modules["google"])
    for name in MODULES + READ_THE_ENVIRONMENT:
        importlib.import_module(name)
    serve(path)


main()
