"""Journals and documents for other tools: SQL over journals, and Parquet files of both. Nothing here writes to the suite."""
