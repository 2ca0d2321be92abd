"""Bolts without broker and workers: an engine folds blocks of journals and settles documents, batch after batch."""
