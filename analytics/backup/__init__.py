"""Backups of a suite that runs, and their restoration.

A backup is what a suite would find that was killed while its disk stood still, so restoring one is what nodes do after
any crash. Copied one after the other, each part has to be as old as the next one at least:

1. the bolts' positions, 2. the documents, 3. the state of spouts, 4. the filter, 5. the journals, 6. the Queue.

Documents that are ahead of their bolt's position, spouts that are behind what was accepted, and a filter that is behind
the Queue are what a crash leaves. The reverse would lose records: a position that is ahead of its documents, for one.
"""
