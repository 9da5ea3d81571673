"""A real control plane on loopback, built from pinned Go modules: for tests, the demo, trying things out.

Nothing is imported here on purpose: several modules of this package are also programs (``python -m``).
"""
