"""`python -m agent …`: the same as `nshell agent …`, for a host where only this package is installed."""

import sys

from agent.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
