"""`python -m nshell.lab …`: the same as `nshell lab …`."""

import sys

from nshell.lab.main import main

sys.exit(main(sys.argv[1:]))
