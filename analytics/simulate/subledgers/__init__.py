"""The simulated game's own books, one a subject: what really happened, and the documents that must come of it.

Nothing of the suite that counts is used here, only plain sets and sums, so that what it counted can be compared.
"""
