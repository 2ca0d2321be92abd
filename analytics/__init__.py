"""Log analytics for online games: spouts, a durable broker, and bolts that count exactly once."""

__version__ = "0.2.0"
