"""How rare a term is: one Zipf frequency a term, whatever the text's language.

The frequencies are those of the wordfreq package (Speer 2022), the largest over its languages: "die" is common because
it is in German. Zipf frequency is log10 of occurrences in 10^9 words. wordfreq's tables are CC BY-SA 4.0: they are a
dependency and are never copied into this project. Reading its lists takes seconds, so the hashed table is
kept in the user's cache directory, named by all that it depends on, and mapped into memory; deleting it costs time only.

A *model* of the user's own corpus (`fit`, `copydesk fit`) can be laid over it: for a term that both know, the larger
frequency counts, so a model makes the words of a topic common and nothing rarer than wordfreq says. It is frozen in a file
and fitted only on command.
"""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks import files as storage
from tasks import terms
from tasks.settings import SettingsError, cache_folder

LISTS = "small"
"""wordfreq's lists down to Zipf 3 (once in a million words) of 42 languages: 1.2 M terms, a table of 17 MB, built in 3 s. With its
large lists (Zipf 1, 21 languages: 134 MB, 7 s) rewrites are no easier to tell from chance: weighted Jaccard at the 3rd
percentile of 96 invented rewrites .294 against .288, of 24 real ones .120 against .125, chance .007 in both."""

UNSEEN = 2.0
"""Zipf frequency that stands for all terms the lists do not have."""

FORMAT = "copydesk-rarity-1"
"""Name of the model file's format and of how its frequencies were estimated."""
FEWEST_STORIES = 500
"""Stories a corpus must have: in fewer, a term of one event (some 10 stories) is as frequent as the topic's words."""
FEWEST_WORDS = 100_000
"""Words a corpus must have: 500 headlines are no corpus."""

log = logging.getLogger("copydesk")


class ModelError(SettingsError):
    """A model that cannot be used, or a corpus that cannot be fitted; the text says what to do."""


@dataclass(frozen=True)
class Rarity:
    """Zipf frequencies of hashed terms: uint64[2^k] as `kernels.terms.slots` makes it, and what it was made from."""

    name: str
    table: npt.NDArray[np.uint64]

    def frequencies(self, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
        """Zipf frequency of each term, UNSEEN where the lists do not have it: float64[len(hashes)]."""
        from tasks.kernels import terms as kernel

        found = kernel.frequencies(hashes, self.table)
        return np.where(found < 0, UNSEEN, found)


@dataclass(frozen=True)
class Model:
    """What a corpus says: hashes of terms (uint64[n], ascending, lowest byte 0), their Zipf frequencies (float32[n], above
    UNSEEN), and how many stories and words it was counted in."""

    hashes: npt.NDArray[np.uint64]
    zipf: npt.NDArray[np.float32]
    stories: int
    words: int

    @property
    def name(self) -> str:
        """Named by content: what it says, and by which hash of terms and which Unicode it was counted."""
        digest = hashlib.sha256(json.dumps([FORMAT, terms.HASH, unicodedata.unidata_version, self.stories, self.words]).encode())
        digest.update(self.hashes.astype("<u8").tobytes())
        digest.update(self.zipf.astype("<f4").tobytes())
        return f"corpus-{digest.hexdigest()[:16]}"


# ---- the table that is looked up ---------------------------------------------------------------------------------------


def name(model: str | None = None) -> str:
    """What the table is made from; part of the recipe. With a model its file is read and checked anew at each call.

    Raises:
        ModelError: the model file cannot be used.
    """
    prior = f"wordfreq-{version('wordfreq')}-{LISTS}-{terms.HASH}-unicode-{unicodedata.unidata_version}"
    return f"{read(Path(model)).name}+{prior}" if model else prior


@cache
def load(model: str | None = None) -> Rarity:
    """The table from the cache folder (settings.cache_folder), built if missing (3 s). Read once a process.

    A cache that cannot be written is no error: the table is then built once in each process.

    Args:
        model: path of a file of `write`, laid over wordfreq's frequencies.

    Raises:
        ModelError: the model file cannot be used.
    """
    if model is None:
        return _kept(name(), build)
    corpus = read(Path(model))
    return _kept(f"{corpus.name}+{name()}", lambda: overlay(load().table, corpus))


def build() -> npt.NDArray[np.uint64]:
    """The table, read from wordfreq: entries of one term only ("don't" is two), the largest frequency over the languages."""
    import wordfreq

    from tasks.kernels import terms as kernel

    hashes: list[npt.NDArray[np.uint64]] = []
    zipf: list[npt.NDArray[np.float64]] = []
    for language in sorted(wordfreq.available_languages(LISTS)):
        bins = wordfreq.get_frequency_list(language, LISTS)  # entry i: the words of frequency 10^(-i / 100)
        found = terms.tokenise([word for words in bins for word in words])
        single = np.flatnonzero(np.diff(found.rows) == 1)
        hashes.append(found.hashes[found.rows[single]])
        zipf.append((9 - np.repeat(np.arange(len(bins)), [len(words) for words in bins]) / 100)[single])
    wordfreq.get_frequency_list.cache_clear()
    flat = np.concatenate(hashes)
    return kernel.slots(flat, np.concatenate(zipf), 1 << (len(flat) - 1).bit_length())


def overlay(prior: npt.NDArray[np.uint64], model: Model) -> npt.NDArray[np.uint64]:
    """The table of prior and model together, of equal terms the larger frequency: nothing gets rarer than either says."""
    from tasks.kernels import terms as kernel

    filled = prior[prior != 0]
    hashes = np.concatenate([filled & ~np.uint64(255), model.hashes])
    zipf = np.concatenate([(filled & np.uint64(255)) / 25.0, model.zipf.astype(np.float64)])
    return kernel.slots(hashes, zipf, 1 << (len(hashes) * 4 // 3).bit_length())


def _kept(made_from: str, make: Callable[[], npt.NDArray[np.uint64]]) -> Rarity:
    path = cache_folder() / f"{made_from}-{_code()}.npy"
    with suppress(OSError, ValueError):  # missing or unreadable: build it
        return Rarity(made_from, np.load(path, mmap_mode="r"))
    table = make()
    with suppress(OSError):
        _keep(table, path)
    return Rarity(made_from, table)


@cache
def _code() -> str:
    """Hash of the code that makes the table: one that another version of it has left in the cache is not ours."""
    digest = hashlib.sha256()
    for module in ("rarity.py", "terms.py", "kernels/terms.py"):
        digest.update((files("tasks") / module).read_bytes())
    return digest.hexdigest()[:8]


def _keep(table: npt.NDArray[np.uint64], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
        np.save(part, table)
    Path(part.name).replace(path)


# ---- a model of one's own corpus ---------------------------------------------------------------------------------------


def fit(tables: Sequence[Path], fewest_stories: int = FEWEST_STORIES, fewest_words: int = FEWEST_WORDS) -> Model:
    """Count the terms of a corpus: Parquet files with a column `text`, one row a story, each story once.

    A term counts once a story, however often the story says it: what tells two stories apart is how many stories have a
    term. The frequency is that count over the words of the corpus, for the count the lower end of its range of two
    standard deviations, (sqrt(n) - 1)^2 (Anscombe 1948: the square root of a Poisson count has a deviation of 1/2), so that a term
    of one story stays as rare as the prior says. Terms of fixed weight (figures, scripts without spaces) are not counted.

    What it does: fitted on 6,000 stories of US politics, 274 instead of 1,686 of 4.5 million pairs of other stories resemble each
    other by a weighted Jaccard of .08 or more; of six real rewrites the median goes from .231 to .205, the lowest
    from .125 to .096, so that with a model derivative.weighted_jaccard can be lower.

    Raises:
        ModelError: the corpus is too small to tell a topic's words from an event's.
    """
    hashes, counts = np.zeros(0, np.uint64), np.zeros(0, np.int64)
    stories = words = 0
    for number, file in enumerate(tables, 1):
        for texts in _texts(file):
            found, here = _stories_with(texts)
            words += here
            stories += len(texts)
            hashes, place = np.unique(np.concatenate([hashes, found]), return_inverse=True)
            counts = np.bincount(place, np.concatenate([counts, np.ones(len(found), np.int64)]), len(hashes)).astype(np.int64)
        log.info("fit %d of %d", number, len(tables), extra={"stage": "fit", "done": number, "total": len(tables)})
    if stories < fewest_stories or words < fewest_words:
        raise ModelError(
            f"{stories:,} stories of {words:,} words are too small a corpus to learn from: in fewer than {fewest_stories:,} stories and "
            f"{fewest_words:,} words the names of one event look as common as the words of the topic; go on without a model "
            "(derivative.rarity unset)"
        )
    zipf = 9 + np.log10(np.maximum((np.sqrt(counts) - 1) ** 2, 1e-9) / words)
    telling = zipf > UNSEEN
    return Model(hashes[telling], zipf[telling].astype(np.float32), stories, words)


def _texts(file: Path) -> Any:
    with storage.parquet(file) as opened:
        for batch in opened.iter_batches(batch_size=5_000, columns=["text"]):
            yield batch.column(0)


def _words(texts: Any) -> tuple[terms.Terms, npt.NDArray[np.int64]]:
    """The terms of some texts, and which of them are words."""
    from tasks.kernels import terms as kernel

    found = terms.tokenise(texts)
    return found, np.flatnonzero(found.kinds == kernel.WORD)


def _stories_with(texts: Any) -> tuple[npt.NDArray[np.uint64], int]:
    """The words of all texts, each as often as there are texts that have it; and how many words the texts have."""
    found, words = _words(texts)
    rows = np.repeat(np.arange(len(texts)), np.diff(found.rows))[words]
    hashes = found.hashes[words] & ~np.uint64(255)  # what a slot of the table keeps of a hash
    order = np.lexsort((hashes, rows))
    hashes, rows = hashes[order], rows[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (hashes[1:] != hashes[:-1]) | (rows[1:] != rows[:-1])
    return hashes[new], len(words)


def raised(model: Model, tables: Sequence[Path], most: int = 12) -> list[tuple[str, float, float]]:
    """The words whose weight the model takes most: (as the corpus first writes it, Zipf frequency before, after)."""
    before = load().frequencies(model.hashes)
    gain = model.zipf - before
    order = np.lexsort((model.hashes, -np.round(gain, 3)))[:most]
    wanted = {int(model.hashes[i]): i for i in order.tolist() if gain[i] > 0}
    written: dict[int, str] = {}
    for texts in (texts for file in tables for texts in _texts(file)):
        if len(written) == len(wanted):
            break
        found, words = _words(texts)
        hashes = found.hashes[words] & ~np.uint64(255)
        rows = np.searchsorted(found.rows, words, side="right") - 1
        for at in np.flatnonzero(np.isin(hashes, np.array(list(wanted), np.uint64))).tolist():
            if int(hashes[at]) not in written:
                data = texts[int(rows[at])].as_py().encode("utf-8", "surrogatepass")
                word = data[found.begins[words[at]] : found.ends[words[at]]].decode("utf-8", "replace")
                written[int(hashes[at])] = word
    return [(written[value], float(before[i]), float(model.zipf[i])) for value, i in wanted.items() if value in written]


def write(model: Model, out: Path) -> None:
    """Write a model: Parquet with `term` and `zipf`, its training record in the schema's metadata. Same model, same bytes.

    It holds hashes of words, no text. The file is put in place whole.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    made = {
        "format": FORMAT,
        "name": model.name,
        "hash": terms.HASH,
        "unicode": unicodedata.unidata_version,
        "stories": str(model.stories),
        "words": str(model.words),
        "terms": str(len(model.hashes)),
        "description": "Zipf frequencies of hashed terms in one corpus; use: derivative.rarity = FILE in the settings of copydesk",
    }
    fields = [pa.field("term", pa.uint64(), nullable=False), pa.field("zipf", pa.float32(), nullable=False)]
    table = pa.table([model.hashes, model.zipf], schema=pa.schema(fields, metadata=made))
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    pq.write_table(table, part, compression="zstd")
    part.replace(out)


def read(path: Path) -> Model:
    """A model as `write` left it.

    Raises:
        ModelError: no such file, no model, a damaged one, or one that was made by another hash of terms or another Unicode.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    where = f"settings: derivative.rarity: {path}"
    try:
        table = pq.read_table(pa.BufferReader(path.read_bytes()))
    except pa.ArrowException as error:
        raise ModelError(f"{where} is no model of `copydesk fit`: not readable as Parquet") from error
    except OSError as error:
        raise ModelError(f"{where} cannot be read: {error.strerror or error}; make one with `copydesk fit --out {path}`") from error
    made = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    if made.get("format") != FORMAT:
        raise ModelError(
            f"{where} is no model of this version of `copydesk fit` ({made.get('format', 'it names no format')}, not {FORMAT})"
        )
    for key, ours in (("hash", terms.HASH), ("unicode", unicodedata.unidata_version)):
        if made.get(key) != ours:
            raise ModelError(f"{where} was made with {key} {made.get(key)}, here it is {ours}; fit it again")
    try:
        model = Model(table["term"].to_numpy(), table["zipf"].to_numpy(), int(made["stories"]), int(made["words"]))
    except (KeyError, ValueError) as error:
        raise ModelError(f"{where} is damaged: {error}; fit it again") from error
    if model.name != made.get("name"):
        raise ModelError(f"{where} is damaged: its content is not what {made.get('name')} names; fit it again")
    return model
