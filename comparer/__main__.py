"""Entry point of ``python -m comparer``."""

import sys

from comparer.cli.main import main

sys.exit(main())
