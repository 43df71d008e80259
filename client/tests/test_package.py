"""The package as somebody installs it."""

from __future__ import annotations

import ast
import subprocess
import sys
import sysconfig
import tomllib
import venv
from importlib.metadata import requires
from pathlib import Path

import pytest

from ttsprompt_client import __version__
from ttsprompt_client.client import USER_AGENT

CLIENT = Path(__file__).parents[1]
PROJECT = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
MODULES = sorted((CLIENT / "ttsprompt_client").glob("*.py"))
ALLOWED = {"requests", "vonage_jwt", "standardwebhooks", "cryptography", "ttsprompt_client"}
"""Besides the standard library, and urllib3: requests is made of it, and it alone says why there was no answer."""


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_it_imports_nothing_of_the_service_and_no_more_than_it_depends_on(module: Path) -> None:
    found = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])

    assert found - sys.stdlib_module_names <= ALLOWED | {"urllib3"}


def test_it_depends_on_four_packages_and_one_of_them_brings_urllib3() -> None:
    names = {text.partition(">")[0] for text in PROJECT["dependencies"]}

    assert names == {"requests", "vonage-jwt", "standardwebhooks", "cryptography"}
    assert any(text.startswith("urllib3") for text in requires("requests") or [])


def test_the_version_is_said_once() -> None:
    saying = [path.name for path in (*MODULES, CLIENT / "pyproject.toml") if __version__ in path.read_text("utf-8")]

    assert saying == ["__init__.py"]
    assert PROJECT["dynamic"] == ["version"]
    assert f"ttsprompt-client/{__version__}" == USER_AGENT


def test_it_is_installed_with_its_command_and_its_types(tmp_path: Path) -> None:
    """Into an environment of its own, that sees the dependencies of this one; no network is needed."""
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    (site,) = (tmp_path / "venv" / "lib").glob("python3*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    install = [str(python), "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "."]
    subprocess.run(install, cwd=CLIENT, check=True, capture_output=True, text=True, timeout=100)

    command = [str(tmp_path / "venv" / "bin" / "ttsprompt"), "--help"]
    shown = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60)
    assert "ladder" in shown.stdout
    found = "import ttsprompt_client, pathlib; print(pathlib.Path(ttsprompt_client.__file__).parent)"
    where = subprocess.run([python, "-c", found], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert Path(where.strip()) == site / "ttsprompt_client"
    assert (site / "ttsprompt_client" / "py.typed").exists()
    assert not (site / "ttsprompt").exists()


def test_the_tests_import_the_sources_beside_them() -> None:
    """`make` installs the command with its sources where they are; another copy would be tested in their place."""
    import ttsprompt_client  # noqa: PLC0415

    assert Path(ttsprompt_client.__file__).parent == CLIENT / "ttsprompt_client"
