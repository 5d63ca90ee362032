# SPDX-License-Identifier: MIT
"""The command line: main.py has the commands; the rest is how they show what they found."""
