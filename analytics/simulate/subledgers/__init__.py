"""The simulated game's subledgers, one a subject: what happened, and the documents that have to result.

They share no code with the counting of the suite, only plain sets and sums, so that both can be compared.
"""
