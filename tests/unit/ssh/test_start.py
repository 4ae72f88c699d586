"""A daemon without SSH pays nothing for it."""

from __future__ import annotations

import subprocess
import sys


def test_the_service_is_imported_without_asyncssh_and_without_prompt_toolkit() -> None:
    script = "import sys, nshell.serving.service; print({'asyncssh', 'prompt_toolkit'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
