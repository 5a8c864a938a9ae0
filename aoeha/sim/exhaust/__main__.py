"""`python -m aoeha.sim.exhaust`: the search from the command line."""

import sys

from aoeha.sim.exhaust.search import main

sys.exit(main())
