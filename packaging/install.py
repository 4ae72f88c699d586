"""`make install` and `make uninstall`: the program, its units, completion and settings, in their places.

    PREFIX/lib/nshell                 our packages and the dependencies they were tested with, out of .venv
    PREFIX/bin/nshell                 the command
    PREFIX/lib/systemd/system, PREFIX/lib/sysusers.d           units and the service's user
    PREFIX/share/bash-completion/completions, PREFIX/share/zsh/site-functions
    SYSCONFDIR/nshell/nshell.conf, SYSCONFDIR/logrotate.d/nshell      kept when they were edited

With DESTDIR everything goes below it (for a package), and the running system is left alone: no user is made, no unit
loaded again. Uninstalling leaves state, log and edited settings; docs/install.md says how to remove those.
"""

from __future__ import annotations

import argparse
import compileall
import filecmp
import importlib.metadata
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("agent", "commands", "controller", "data", "nshell", "views")
BUILT_FOR = "/usr/local"
"""The prefix that the files in the tree name; another one is written instead of it."""
COMMAND = """\
#!{python} -I
import sys

sys.path.insert(0, {library!r})
from nshell.main import main

sys.exit(main())
"""


@dataclass(frozen=True, slots=True)
class Places:
    """Where things go: what paths say (`prefix`, `sysconfdir`), and the directory that all of it is put below."""

    prefix: str
    sysconfdir: str
    destdir: str

    def at(self, path: str) -> Path:
        return Path(self.destdir + path)

    @property
    def library(self) -> str:
        return self.prefix + "/lib/nshell"

    @property
    def command(self) -> str:
        return self.prefix + "/bin/nshell"

    @property
    def files(self) -> dict[str, str]:
        """File in the tree -> where it goes; the prefix inside it is made to fit."""
        systemd, share = "packaging/systemd/", self.prefix + "/share"
        return {
            systemd + "nshell.service": self.prefix + "/lib/systemd/system/nshell.service",
            systemd + "nshell-agent.service": self.prefix + "/lib/systemd/system/nshell-agent.service",
            systemd + "nshell.sysusers": self.prefix + "/lib/sysusers.d/nshell.conf",
            "packaging/completion/nshell.bash": share + "/bash-completion/completions/nshell",
            "packaging/completion/_nshell": share + "/zsh/site-functions/_nshell",
            "docs/install.md": share + "/doc/nshell/install.md",
        }

    @property
    def settings(self) -> dict[str, str]:
        """The same for files that an administrator may edit."""
        return {
            "packaging/etc/nshell.conf": self.sysconfdir + "/nshell/nshell.conf",
            "packaging/etc/nshell.logrotate": self.sysconfdir + "/logrotate.d/nshell",
        }


def closure(name: str, seen: set[str]) -> Iterator[importlib.metadata.Distribution]:
    """What a distribution needs at run time, itself left out, as this interpreter has it."""
    for requirement in importlib.metadata.distribution(name).requires or ():
        needed = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        if "extra ==" in requirement or needed.lower() in seen:
            continue
        seen.add(needed.lower())
        try:
            found = importlib.metadata.distribution(needed)
        except importlib.metadata.PackageNotFoundError:
            if ";" in requirement:  # for another Python or another system
                continue
            raise SystemExit(f"{needed} is missing in {sys.prefix}: run 'make test' first") from None
        yield found
        yield from closure(needed, seen)


def copy_program(library: Path) -> None:
    """Our packages and what they need into a fresh directory; nothing of a former version stays."""
    shutil.rmtree(library, ignore_errors=True)
    library.mkdir(parents=True)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, library / package, ignore=shutil.ignore_patterns("__pycache__"))
    for distribution in closure("nshell", set()):
        for file in distribution.files or ():
            if ".." in file.parts or "__pycache__" in file.parts:
                continue  # console scripts are nobody's business here
            target = library.joinpath(*file.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(str(distribution.locate_file(file))), target)
    compileall.compile_dir(library, quiet=2, workers=1)


def put(source: str, target: Path, places: Places) -> None:
    """One file of the tree, with the prefix made to fit."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text((ROOT / source).read_text().replace(BUILT_FOR, places.prefix))
    target.chmod(0o644)


def interpreter(places: Places) -> str:
    """The Python of the installed command: that of .venv, unless only its owner may enter the directory it is in."""
    base = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    if places.prefix.startswith(("/home/", "/root/")) or not base.startswith(("/home/", "/root/")):
        return base
    system = f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
    if os.access(system, os.X_OK):
        return system
    raise SystemExit(
        f"error: {base} is in somebody's home, where the service cannot run it\n"
        "  'make clean', then 'make install PYTHON=/usr/bin/python3'"
    )


def install(places: Places) -> None:
    """Put everything in its place; doing it twice is an upgrade."""
    copy_program(places.at(places.library))
    command = places.at(places.command)
    command.parent.mkdir(parents=True, exist_ok=True)
    command.write_text(COMMAND.format(python=interpreter(places), library=places.library))
    command.chmod(0o755)
    for source, target in places.files.items():
        put(source, places.at(target), places)
    for source, target in places.settings.items():
        if not places.at(target).exists():
            put(source, places.at(target), places)


def uninstall(places: Places) -> None:
    """Remove what install put there, edited settings apart."""
    shutil.rmtree(places.at(places.library), ignore_errors=True)
    for target in (places.command, *places.files.values()):
        places.at(target).unlink(missing_ok=True)
    for source, target in places.settings.items():
        place = places.at(target)
        if place.exists() and filecmp.cmp(ROOT / source, place, shallow=False):
            place.unlink()


def tell_system(installed: bool) -> None:
    """The user of the service, and systemd's knowledge of the units. What is not there is not needed."""
    if installed:
        try:
            pwd.getpwnam("nshell")
        except KeyError:
            useradd = ["useradd", "--system", "--user-group", "--home-dir", "/var/lib/nshell", "--no-create-home"]
            subprocess.run([*useradd, "--shell", "/usr/sbin/nologin", "nshell"], check=True)
    if Path("/run/systemd/system").is_dir():
        subprocess.run(["systemctl", "daemon-reload"], check=True)


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="packaging/install.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--prefix", default=BUILT_FOR)
    parser.add_argument("--sysconfdir", default="/etc")
    parser.add_argument("--destdir", default="")
    parser.add_argument("--files-only", action="store_true", help="leave users and systemd alone, as with --destdir")
    parser.add_argument("--uninstall", action="store_true")
    options = parser.parse_args()
    places = Places(options.prefix.rstrip("/"), options.sysconfdir.rstrip("/"), options.destdir.rstrip("/"))
    try:
        (uninstall if options.uninstall else install)(places)
    except PermissionError as problem:
        print(f"error: {problem.filename}: {problem.strerror}\n  run it as root, or name a PREFIX of yours")
        return 1
    if not places.destdir:
        if os.geteuid() == 0 and not options.files_only:
            tell_system(not options.uninstall)
        if not options.uninstall:
            print(f"installed {places.command}; 'nshell doctor' looks whether the machine has what it needs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
