"""A simulated game to try the suite with: servers that log, players, and interfaces for payments and roles."""
