"""The house rules that a program can check: docstrings, size, names, and what the thin client may import.

The direction of imports is checked by import-linter (pyproject.toml), not here.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("agent", "commands", "controller", "data", "nshell", "views")
MOST_LINES = 400
DRAWERS = {"util", "utils", "helper", "helpers", "misc", "common"}

MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
# An empty __init__.py below tests only marks a package.
PYTHON_FILES = sorted([*MODULES, *(path for path in (ROOT / "tests").rglob("*.py") if path.stat().st_size)])


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("package", PACKAGES)
def test_each_of_the_six_packages_is_there(package: str) -> None:
    assert (ROOT / package / "__init__.py").is_file()


@pytest.mark.parametrize("path", PYTHON_FILES, ids=name)
def test_every_module_says_at_the_top_why_it_exists(path: Path) -> None:
    with tokenize.open(path) as source:
        tree = ast.parse(source.read())
    docstring = ast.get_docstring(tree)
    assert docstring and len(docstring.split()) >= 3


@pytest.mark.parametrize("path", PYTHON_FILES, ids=name)
def test_no_module_is_longer_than_400_lines(path: Path) -> None:
    with tokenize.open(path) as source:
        assert sum(1 for _ in source) <= MOST_LINES, "split it by feature"


@pytest.mark.parametrize("path", PYTHON_FILES, ids=name)
def test_no_module_is_a_drawer_without_a_name(path: Path) -> None:
    assert not DRAWERS & {path.stem, path.parent.name}


def test_every_package_directory_is_installed() -> None:
    """A directory of modules without an __init__.py would work from the tree and be missing from a wheel."""
    assert [name(path.parent) for path in MODULES if not (path.parent / "__init__.py").is_file()] == []


def test_the_thin_client_imports_the_standard_library_alone() -> None:
    """`nshell -c` costs tens of milliseconds only while this holds; importing everything costs a second."""
    report = "import sys, nshell.main, nshell.client; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    run = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {report}"],
        capture_output=True,
        text=True,
        check=True,
    )
    bare = subprocess.run(
        [sys.executable, "-I", "-c", "import sys; print(*{name.split('.')[0] for name in sys.modules})"],
        capture_output=True,
        text=True,
        check=True,
    )
    extra = set(run.stdout.split()) - set(bare.stdout.split()) - set(sys.stdlib_module_names)
    assert extra == {"nshell"}
