"""Ingest: bytes to records.

`walk` lists the raw files, `read_batch` copies the records of some of them into the store as they are, `parse` turns a
shard of the store into stories. Only `parse` depends on decoders and settings, so everything can be recomputed from the
store without the raw files.
"""

from tasks.ingest.parse import parse
from tasks.ingest.store import read_batch
from tasks.ingest.walk import Found, RawFile, batches, raw_file, walk

__all__ = ["Found", "RawFile", "batches", "parse", "raw_file", "read_batch", "walk"]
