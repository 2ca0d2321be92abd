"""The checksum of what the Queue keeps: CRC-32 as zlib computes it, several times as fast where ISA-L is installed."""

try:
    from isal.isal_zlib import crc32
except ImportError:  # there is no wheel for this processor
    from zlib import crc32

__all__ = ["crc32"]
