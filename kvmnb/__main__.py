"""``python -m kvmnb`` is the ``kvmnb`` command."""

import sys

from kvmnb.cli import main

sys.exit(main())
