"""Patches gevent before any test module is imported, as the executable does."""

from gevent import monkey

monkey.patch_all()
