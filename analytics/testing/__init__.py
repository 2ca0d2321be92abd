"""Tools that break the suite on purpose, to see that its promises hold."""
