"""Commands to call, and a suite to call them on; see ``running_suite``."""

from running_suite import analytics, running

__all__ = ["analytics", "running"]
