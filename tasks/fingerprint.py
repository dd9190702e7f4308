"""Fingerprints: what matching needs of a story, computed from its text alone.

Tier 1 is a MinHash signature of the set of word shingles, bit for bit what datasketch makes with `hash32`. Tier 2 is a
sample of the rare terms, by weight. How they were made travels in the field metadata beside them.
"""

from __future__ import annotations

import hashlib
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks import rarity, schema, settings, terms
from tasks.terms import hash32, shingles

__all__ = ["fingerprint", "hash32", "minhash", "permutations", "recipe", "shingles"]

NUMBER_WEIGHT = 1.0
"""Weight of a number of three digits or more that is no year, and of three characters of a script without spaces."""


BATCH = 64
"""Stories that go through the kernels together. Their terms (some 20 KB a story of 5 KB) then stay in the processor's cache from
one kernel to the next, and the memory is used again for the next stories; 2,000 at a time take half as long again."""

FEATURES = schema.schema("shingles", "signature", "terms", "weights", "sketch", "winnowed")


def fingerprint(table: pa.Table, near: settings.Near, derivative: settings.Derivative) -> pa.Table:
    """CHECKED -> FINGERPRINTED: the same rows in the same order with text_hash and FEATURES.

    Faulty rows (reason not null) get a null text_hash and empty lists, as do, the hash apart, texts without a term.
    """
    sound = schema.healthy(table).combine_chunks()
    texts = pc.if_else(sound, table["text"].cast(pa.large_string()).combine_chunks(), pa.scalar("", pa.large_string()))
    batches = [features(texts.slice(start, BATCH), near, derivative) for start in range(0, len(texts), BATCH)]
    table = table.append_column("text_hash", _hashes(texts, sound))
    for field, column in zip(FEATURES, pa.Table.from_batches(batches, FEATURES).columns, strict=True):
        table = table.append_column(field, column)
    return schema.conform(table, _described(schema.FINGERPRINTED, recipe(near, derivative)))


def features(texts: pa.LargeStringArray, near: settings.Near, derivative: settings.Derivative) -> pa.RecordBatch:
    """FEATURES of n texts; empty lists where a text has none."""
    from tasks.kernels import sketches
    from tasks.kernels import terms as kernel

    found = terms.tokenise(texts)
    hashes, starts = kernel.shingle(found.hashes, found.rows, near.shingle_words)
    signature = sketches.signatures(hashes, starts, *permutations(near.permutations, near.seed))
    sampled: tuple[Any, ...] = (np.zeros(0, np.uint64), np.zeros(0, np.float32), np.zeros(len(texts) + 1, np.int64))
    if derivative.enabled:
        cut = derivative.zipf_cut
        sampled = kernel.rare(
            found.hashes, found.kinds, found.rows, rarity.load(derivative.rarity).table, cut, max(0.0, cut - rarity.UNSEEN), NUMBER_WEIGHT
        )
    rare, weights, rare_starts = sampled
    sketch = sketches.samples(rare, weights, rare_starts, *permutations(derivative.samples, near.seed))
    winnowed, winnowed_starts = sketches.winnow(found.hashes, found.rows, near.run_words, near.run_window)
    columns = [
        _lists("shingles", hashes, starts),
        _rows("signature", signature, np.diff(starts) > 0),
        _lists("terms", rare, rare_starts),
        _lists("weights", weights, rare_starts),
        _rows("sketch", sketch, np.diff(rare_starts) > 0),
        _lists("winnowed", winnowed, winnowed_starts),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=FEATURES)


def text_hash(text: str | bytes | memoryview) -> bytes:
    """First 128 bits of BLAKE2b of the cleaned text (in UTF-8): what makes two stories exact copies."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return hashlib.blake2b(data, digest_size=16).digest()


@cache
def permutations(count: int, seed: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """The permutations a and b of datasketch's scheme affine32: uint32[count] each."""
    from datasketch import MinHash

    a, b = MinHash(num_perm=count, seed=seed, scheme="affine32").permutations
    return np.ascontiguousarray(a, np.uint32), np.ascontiguousarray(b, np.uint32)


def recipe(near: settings.Near, derivative: settings.Derivative) -> dict[str, dict[str, str]]:
    """How each column was made, as its field metadata says: two fingerprints compare only when these are equal."""
    shingle = {"hash": terms.HASH, "shingle_words": str(near.shingle_words)}
    rare = {
        "hash": terms.HASH,
        "rarity": rarity.name(derivative.rarity),
        "zipf_cut": str(derivative.zipf_cut),
        "enabled": str(derivative.enabled).lower(),
    }
    return {
        "shingles": shingle,
        "signature": {**shingle, "scheme": "affine32", "seed": str(near.seed), "permutations": str(near.permutations)},
        "terms": rare,
        "weights": rare,
        "sketch": {**rare, "scheme": "exponential-2", "seed": str(near.seed), "samples": str(derivative.samples)},
        "winnowed": {"hash": terms.HASH, "run_words": str(near.run_words), "run_window": str(near.run_window)},
    }


def minhash(signature: Any, field: pa.Field[Any]) -> Any:
    """A stored signature as a datasketch.MinHash, to query a MinHashLSH or compare with sketches of one's own.

    Args:
        signature: one value of the column, e.g. table["signature"][0].as_py().
        field: the column's field with its metadata, e.g. table.schema.field("signature").

    Raises:
        ValueError: the metadata does not say how the signature was made, names another scheme or hash, or another count.
    """
    from datasketch import MinHash

    made = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    if made.get("scheme") != "affine32" or made.get("hash") != terms.HASH or int(made.get("permutations", "0")) != len(signature):
        raise ValueError(
            f"signature: not made by affine32 over {terms.HASH}, or without its metadata; compute it again with `copydesk run`"
        )
    return MinHash(hashvalues=np.array(signature, np.uint32), seed=int(made["seed"]), scheme="affine32", hashfunc=hash32)


def _described(wanted: pa.Schema, made: dict[str, dict[str, str]]) -> pa.Schema:
    return pa.schema([f.with_metadata({**(f.metadata or {}), **made[f.name]}) if f.name in made else f for f in wanted])


def _hashes(texts: pa.LargeStringArray, sound: pa.BooleanArray) -> pa.Array[Any]:
    """text_hash of n texts, null where not sound; reads the Arrow buffers in place."""
    _, offsets, data = texts.buffers()
    places = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1].tolist() if len(texts) else []
    flat = memoryview(data or b"")
    found = [text_hash(flat[begin:end]) for begin, end in pairwise(places)]
    return pa.array(found, pa.binary(16), mask=~sound.to_numpy(zero_copy_only=False))


def _lists(name: str, values: npt.NDArray[Any], starts: npt.NDArray[np.int64]) -> pa.Array[Any]:
    return pa.ListArray.from_arrays(pa.array(starts.astype(np.int32)), pa.array(values), schema.COLUMNS[name].type)


def _rows(name: str, values: npt.NDArray[Any], full: npt.NDArray[np.bool_]) -> pa.Array[Any]:
    """A list a row: all of its values where `full`, none elsewhere."""
    starts = np.concatenate([[0], np.cumsum(full)]) * values.shape[1]
    return _lists(name, (values if full.all() else values[full]).reshape(-1), starts)
