"""One target under atheris: python -m tests.fuzz.atheris_run NAME [options of libFuzzer] [corpus]

Ends with 0 after -runs=N without a failure; a failure leaves its bytes in a file and its traceback on standard error.
"""

from __future__ import annotations

import logging
import sys

import atheris

INSTRUMENTED = ["commands", "controller", "data", "nshell"]

with atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run until libFuzzer has had enough; does not return."""
    name, *words = sys.argv[1:]
    logging.getLogger().addHandler(logging.NullHandler())  # what is refused is logged; only errors are failures
    atheris.Setup([sys.argv[0], *words], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
