"""The driver as a package of its own: NAPALM finds it by the name frr, and it needs nothing of this project."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import controller.pe.frr

FOLDER = Path(controller.pe.frr.__file__).parent
ALLOWED = {"napalm", "netaddr", "paramiko", *sys.stdlib_module_names}


def test_it_imports_napalm_and_the_standard_library_alone() -> None:
    for file in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            assert {name.partition(".")[0] for name in names} <= ALLOWED, file.name


def test_copied_out_of_this_project_it_is_what_napalm_calls_frr(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "napalm_frr", ignore=shutil.ignore_patterns("__pycache__"))
    program = (
        "import napalm; found = napalm.get_network_driver('frr'); "
        "found('r1', 'u', 'p', optional_args={'transport': 'local'}); print(found.__module__, found.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path[:0] = [{str(tmp_path)!r}]; {program}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.split() == ["napalm_frr.driver", "FrrDriver"], done.stderr
