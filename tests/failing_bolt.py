"""A bolt of one's own that reads well and divides by 0 at some records, as files of the folder `bolts` declare it."""

HALVES = """
import msgspec
from analytics.core.bolt import Bolt, Reads
from analytics.core.measures import Sum
from analytics.core.tuples import Gamelog

class Fight(msgspec.Struct):
    points: int

def share(row):
    return 100 // row.data.points

halves = Bolt("halves", {"gamelog.pvp_log": Reads(Gamelog[Fight])}, {"shares": Sum(share)})
"""
