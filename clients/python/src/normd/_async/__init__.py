# SPDX-License-Identifier: MIT
"""The client, its models and layers. ``_sync`` is made of this folder when the package is built."""
