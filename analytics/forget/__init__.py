"""Forgets accts: everything that is kept of one continues under a pseudonym, and no number changes.

    look (all of it) ─▶ pseudonyms, kept ─▶ journals, rejected records, states of spouts, Queue ─▶ documents ─▶ report
                            └ from here on the broker refuses to start until all is done; each step may be repeated

A pseudonym is written with as many bytes as the acct, so what names bytes of journals stays right.
"""
