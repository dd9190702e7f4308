"""Fingerprints: what matching needs of a story, computed from its text alone.

Tier 1 is a MinHash signature of the set of word shingles, bit for bit what datasketch makes with `hash32`. Tier 2 is a
sample of the rare terms, by weight. How they were made travels in the field metadata beside them.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks import rarity, schema, settings, terms
from tasks.terms import hash32, shingles

__all__ = ["fingerprint", "hash32", "minhash", "permutations", "recipe", "shingles"]

NUMBER_WEIGHT = 1.0
"""Weight of a number of three digits or more that is no year, and of three characters of a script without spaces."""


def fingerprint(table: pa.Table, near: settings.Near, derivative: settings.Derivative) -> pa.Table:
    """CHECKED -> FINGERPRINTED: the same rows in the same order with text_hash, shingles, signature, terms, weights, sketch.

    Faulty rows (reason not null) get a null text_hash and empty lists, as do, the hash apart, texts without a term.
    """
    from tasks.kernels import sketches
    from tasks.kernels import terms as kernel

    sound = schema.healthy(table).to_numpy(zero_copy_only=False)
    texts = table["text"].to_pylist()
    found = terms.tokenise(pa.array([text if fine else "" for text, fine in zip(texts, sound, strict=True)], pa.large_string()))
    hashes, starts = kernel.shingle(found.hashes, found.rows, near.shingle_words)
    a, b = permutations(near.permutations, near.seed)
    signature = sketches.signatures(hashes, starts, a, b)
    sampled: tuple[Any, ...] = (np.zeros(0, np.uint64), np.zeros(0, np.float32), np.zeros(len(table) + 1, np.int64))
    if derivative.enabled:
        cut = derivative.zipf_cut
        sampled = kernel.rare(found.hashes, found.kinds, found.rows, rarity.load().table, cut, max(0.0, cut - rarity.UNSEEN), NUMBER_WEIGHT)
    rare, weights, rare_starts = sampled
    sketch = sketches.samples(rare, weights, rare_starts, derivative.samples, near.seed)
    columns = {
        "text_hash": pa.array([text_hash(text) if fine else None for text, fine in zip(texts, sound, strict=True)], pa.binary(16)),
        "shingles": _lists(hashes, starts),
        "signature": _rows(signature, np.diff(starts) > 0),
        "terms": _lists(rare, rare_starts),
        "weights": _lists(weights, rare_starts),
        "sketch": _rows(sketch, np.diff(rare_starts) > 0),
    }
    for name, column in columns.items():
        table = table.append_column(name, column)
    return _described(schema.conform(table, schema.FINGERPRINTED), recipe(near, derivative))


def text_hash(text: str) -> bytes:
    """First 128 bits of BLAKE2b of the cleaned text: what makes two stories exact copies."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@cache
def permutations(count: int, seed: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """The permutations a and b of datasketch's scheme affine32: uint32[count] each."""
    from datasketch import MinHash

    a, b = MinHash(num_perm=count, seed=seed, scheme="affine32").permutations
    return np.ascontiguousarray(a, np.uint32), np.ascontiguousarray(b, np.uint32)


def recipe(near: settings.Near, derivative: settings.Derivative) -> dict[str, dict[str, str]]:
    """How each column was made, as its field metadata says: two fingerprints compare only when these are equal."""
    shingle = {"hash": terms.HASH, "shingle_words": str(near.shingle_words)}
    rare = {"hash": terms.HASH, "rarity": rarity.name(), "zipf_cut": str(derivative.zipf_cut), "enabled": str(derivative.enabled).lower()}
    return {
        "shingles": shingle,
        "signature": {**shingle, "scheme": "affine32", "seed": str(near.seed), "permutations": str(near.permutations)},
        "terms": rare,
        "weights": rare,
        "sketch": {**rare, "scheme": "exponential-1", "seed": str(near.seed), "samples": str(derivative.samples)},
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


def _described(table: pa.Table, made: dict[str, dict[str, str]]) -> pa.Table:
    fields = [f.with_metadata({**(f.metadata or {}), **made[f.name]}) if f.name in made else f for f in table.schema]
    return table.cast(pa.schema(fields))


def _lists(values: npt.NDArray[Any], starts: npt.NDArray[np.int64]) -> pa.Array[Any]:
    return pa.ListArray.from_arrays(pa.array(starts.astype(np.int32)), pa.array(values))


def _rows(values: npt.NDArray[Any], full: npt.NDArray[np.bool_]) -> pa.Array[Any]:
    """A list a row: all of its values where `full`, none elsewhere."""
    starts = np.concatenate([[0], np.cumsum(full)]) * values.shape[1]
    return _lists(values[full].reshape(-1), starts)
