"""Logs of another shape: the configuration says what their lines mean, and they become the suite's records."""
