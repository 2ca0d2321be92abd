"""The Queue's checksum: zlib's CRC-32, several times as fast with ISA-L."""

try:
    from isal.isal_zlib import crc32
except ImportError:  # there is no wheel for this processor
    from zlib import crc32

__all__ = ["crc32"]
