# SPDX-License-Identifier: MIT
"""``python3 -m normd``: look at a normd and move its state from the command line."""

import sys

from ._cli import main

if __name__ == "__main__":
    sys.exit(main.main())
