"""A game to try the suite with: servers that log, players who return, an interface that says who paid."""
