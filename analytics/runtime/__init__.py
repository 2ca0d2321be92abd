"""Nodes and what runs them: as single steps, as processes, and as a whole suite in the background."""
