"""`nshell doctor`: run the checks, show a table and what mends it, or JSON. Exit code 1 when something is missing."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict

from nshell.doctor.checks import ROLES, examine
from nshell.doctor.finding import Finding
from nshell.doctor.machine import Machine
from nshell.places import state_directory
from views.models import Column, Table
from views.render import Screen, harmless, render

USAGE = """\
usage: nshell doctor [controller | hypervisor] [--json] [--state DIR]
  controller     only what a controller needs     hypervisor   only what a hypervisor needs
  --json         one JSON document
  --state DIR    the controller's state directory (also $NSHELL_STATE)
exit codes: 0 nothing is missing, 1 something is, 2 bad syntax
"""
COLUMNS = (Column("check", "Check"), Column("state", "State"), Column("found", "Found", shrink=True))


def main(arguments: list[str]) -> int:
    """Entry point of `nshell doctor`; returns the exit code."""
    role, state, as_json = "", "", False
    rest = iter(arguments)
    for word in rest:
        if word in ("-h", "--help"):
            print(USAGE, end="")
            return 0
        if word in ROLES and not role:
            role = word
        elif word == "--json":
            as_json = True
        elif word == "--state" and (value := next(rest, None)):
            state = value
        else:
            sys.stderr.write(USAGE)
            return 2
    findings = examine(Machine(state_directory(state)), role)
    lacking = sum(finding.state == "missing" for finding in findings)
    if as_json:
        print(json.dumps({"missing": lacking, "findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        print("\n".join(report(findings, shutil.get_terminal_size((0, 0)).columns if sys.stdout.isatty() else 0)))
    return 1 if lacking else 0


def report(findings: list[Finding], columns: int) -> list[str]:
    """The table, then what to do about each thing that is not well."""
    unwell = [finding for finding in findings if finding.state != "ok"]
    states = [finding.state for finding in findings]
    detail = "   ".join(f"{state} {states.count(state)}" for state in ("ok", "warning", "missing") if state in states)
    rows = [(finding.check, finding.state, harmless(finding.found)) for finding in findings]
    lines = render(Table("This machine", COLUMNS, rows, "checks", detail), Screen(columns))
    for finding in unwell:
        lines += ["", f"{finding.state}: {finding.check}: {harmless(finding.found)}"]
        lines += [f"  {finding.meaning}", f"  mend: {harmless(finding.remedy)}"]
    return lines
