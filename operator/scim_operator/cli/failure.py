"""What a command tells its user when it can't do its work."""

from __future__ import annotations


class CommandError(Exception):
    """The message says what is wrong and what to do; the exit code is 1."""


class UsageError(CommandError):
    """What was asked for makes no sense; the exit code is 2."""
