"""Fingerprints against datasketch, and what must not change them."""

import unicodedata
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasketch import MinHash, MinHashLSH
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from test_kernels import SCRIPTS, texts

from tasks import fingerprint, rarity, schema, settings, terms

NEAR = settings.Near(permutations=64, bands=16, rows=4)
DERIVATIVE = settings.Derivative(samples=64)
ARTICLE = (
    "Defence ministers agreed on Wednesday to set up a joint fund worth 2.4 billion euros for short-range air defence, "
    "saying they could no longer wait for procurement programmes in Tampere and Riga. Kronbergs told 450 reporters so."
)


def table(*rows: dict[str, Any]) -> pa.Table:
    """A CHECKED table; rows need a text only."""
    full = []
    for i, row in enumerate(rows):
        fixed = {
            "story_id": f"{i:032x}",
            "raw_id": str(i),
            "raw_uri": "a.jsonl",
            "raw_state": "present",
            "place": "line 1",
            "kind": "record",
        }
        counted = {"word_count": len(row["text"].split()), "repairs": [], "removed": []}
        full.append(dict.fromkeys(schema.CHECKED.names) | fixed | counted | row)
    return pa.Table.from_pylist(full, schema=schema.CHECKED)


def of(*batch: str) -> pa.Table:
    return fingerprint.fingerprint(table(*({"text": text} for text in batch)), NEAR, DERIVATIVE)


@hypothesis_settings(deadline=None, max_examples=60)
@given(texts, st.integers(1, 6))
def test_signatures_are_datasketch_s_bit_for_bit(text: str, size: int) -> None:
    text = text.encode("utf-8", "ignore").decode()
    near = settings.Near(permutations=32, bands=8, rows=4, seed=42, shingle_words=size)
    found = fingerprint.fingerprint(table({"text": text}), near, settings.Derivative(enabled=False))
    theirs = MinHash(num_perm=32, seed=42, scheme="affine32", hashfunc=fingerprint.hash32)
    shingles = fingerprint.shingles(text, size)
    theirs.update_batch(shingles)
    assert found["signature"][0].as_py() == (theirs.hashvalues.tolist() if shingles else [])
    by_bytes = MinHash(num_perm=32, seed=42, scheme="affine32", hashfunc=fingerprint.hash32)
    by_bytes.update_batch([shingle.encode() for shingle in shingles])
    assert by_bytes == theirs


def test_stored_signatures_load_into_datasketch_and_its_lsh(tmp_path: Any) -> None:
    pq.write_table(of(ARTICLE, ARTICLE + " More was said.", SCRIPTS[2]), tmp_path / "shard.parquet")
    stored = pq.read_table(tmp_path / "shard.parquet")
    sketches = [fingerprint.minhash(row.as_py(), stored.schema.field("signature")) for row in stored["signature"]]
    index = MinHashLSH(num_perm=64, params=(16, 4))
    for i, sketch in enumerate(sketches):
        index.insert(i, sketch)
    assert set(index.query(sketches[0])) == {0, 1}
    exact = [set(fingerprint.shingles(text, NEAR.shingle_words)) for text in (ARTICLE, ARTICLE + " More was said.")]
    assert sketches[0].jaccard(sketches[1]) == pytest.approx(len(exact[0] & exact[1]) / len(exact[0] | exact[1]), abs=0.2)
    sketches[2].update("new york times co published")  # it is a MinHash like any other


def test_how_it_was_made_is_beside_it_and_checked() -> None:
    found = of(ARTICLE)
    made = found.schema.field("signature").metadata
    assert made[b"scheme"] == b"affine32"
    assert made[b"permutations"] == b"64"
    assert made[b"hash"] == terms.HASH.encode()
    assert made[b"shingle_words"] == b"5"
    assert made[b"description"]
    assert found.schema.field("sketch").metadata[b"rarity"] == rarity.name().encode()
    with pytest.raises(ValueError, match="compute it again"):
        fingerprint.minhash(found["signature"][0].as_py(), pa.field("signature", pa.list_(pa.uint32())))


def test_rows_and_order_stay_and_faulty_rows_have_no_features() -> None:
    before = table({"text": ARTICLE}, {"text": ARTICLE, "stage": "check", "reason": "too_short"}, {"text": "!?"}, {"text": ""})
    after = fingerprint.fingerprint(before, NEAR, DERIVATIVE)
    assert after.select(schema.CHECKED.names).equals(before)
    assert after["text_hash"].is_null().to_pylist() == [False, True, False, False]
    for name in ("shingles", "signature", "terms", "weights", "sketch"):
        assert [bool(value) for value in after[name].to_pylist()] == [True, False, False, False]


def test_an_empty_table_is_no_special_case() -> None:
    assert fingerprint.fingerprint(schema.CHECKED.empty_table(), NEAR, DERIVATIVE).num_rows == 0


def test_a_story_s_fingerprint_does_not_depend_on_its_shard() -> None:
    together = of(ARTICLE, *SCRIPTS)
    for i, text in enumerate((ARTICLE, *SCRIPTS)):
        alone = of(text)
        for name in ("text_hash", "shingles", "signature", "terms", "weights", "sketch"):
            assert alone[name][0] == together[name][i]
    chunked = pa.concat_tables([table({"text": text}) for text in (ARTICLE, *SCRIPTS)])
    assert fingerprint.fingerprint(chunked, NEAR, DERIVATIVE)["sketch"].to_pylist() == together["sketch"].to_pylist()


def test_a_story_s_fingerprint_does_not_depend_on_its_batch() -> None:
    batch = [" ".join([ARTICLE.replace("450", str(100 + i)), *SCRIPTS] * (i % 3)) for i in range(2 * fingerprint.BATCH + 3)]
    together = of(*batch)
    for i in (0, 1, fingerprint.BATCH - 1, fingerprint.BATCH, 2 * fingerprint.BATCH + 1):
        alone = of(batch[i])
        assert all(alone[name][0] == together[name][i] for name in ("text_hash", *fingerprint.FEATURES.names))


def test_long_signatures_are_datasketch_s_too() -> None:
    text = " ".join(f"word{i % 150} says {i}." for i in range(300))
    theirs = MinHash(num_perm=64, seed=1, scheme="affine32", hashfunc=fingerprint.hash32)
    theirs.update_batch(fingerprint.shingles(text, 5))
    assert of(text)["signature"][0].as_py() == theirs.hashvalues.tolist()


def test_the_hash_of_a_text_is_the_same_from_its_bytes() -> None:
    after = fingerprint.fingerprint(table({"text": "x"}, {"text": SCRIPTS[2]}).slice(1), NEAR, DERIVATIVE)
    assert after["text_hash"].to_pylist() == [fingerprint.text_hash(SCRIPTS[2])]
    assert fingerprint.text_hash("").hex() == "cae66941d9efbd404e4d88758ea67670"


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        str.lower,
        lambda text: unicodedata.normalize("NFD", text),
        lambda text: text.replace(" ", "\n\n"),
        lambda text: text.replace("'", "’").replace('"', "”"),
    ],
)
@pytest.mark.parametrize("text", [ARTICLE, "L'été à Orléans: «C'est fini», dit l'élève.", "Москва объявила новые йоги и ёлки."])
def test_spelling_of_the_same_words_changes_no_shingle(text: str, change: Any) -> None:
    found = of(text, change(text))
    assert found["shingles"][0] == found["shingles"][1]
    assert found["terms"][0] == found["terms"][1]


def test_different_words_change_shingles_and_hash() -> None:
    found = of(ARTICLE, ARTICLE.replace("Wednesday", "Thursday"))
    assert found["shingles"][0] != found["shingles"][1]
    assert found["text_hash"][0] != found["text_hash"][1]


def test_scripts_without_spaces_have_many_shingles() -> None:
    assert len(of("北大西洋公約組織秘書長呂特星期四在布魯塞爾表示")["shingles"][0]) == 19
    assert len(of("สวัสดีชาวโลกวันนี้อากาศดี")["shingles"][0]) > 10


def test_rare_terms_outweigh_common_ones() -> None:
    found = rarity.load().frequencies(np.array([terms.hash_term(word) for word in ("the", "die", "ministre", "qzxvy")], np.uint64))
    assert found[0] > 7
    assert found[1] > 6.5  # German
    assert found[2] > 4.5  # French
    assert found[3] == rarity.UNSEEN


def test_the_rarity_table_is_kept_and_a_broken_or_unwritable_cache_is_no_error(tmp_path: Any, monkeypatch: Any) -> None:
    built = np.arange(8, dtype=np.uint64)
    monkeypatch.setattr(rarity, "build", lambda: built)
    monkeypatch.setenv("COPYDESK_CACHE", str(tmp_path / "cache"))
    rarity.load.cache_clear()
    try:
        assert rarity.load().table.tolist() == built.tolist()
        (kept,) = (tmp_path / "cache").iterdir()
        kept.write_bytes(b"broken")
        rarity.load.cache_clear()
        assert rarity.load().table.tolist() == built.tolist()
        (tmp_path / "file").write_text("no folder")
        monkeypatch.setenv("COPYDESK_CACHE", str(tmp_path / "file"))
        rarity.load.cache_clear()
        assert rarity.load().table.tolist() == built.tolist()
    finally:
        rarity.load.cache_clear()


def test_without_tier_2_there_are_no_terms() -> None:
    found = fingerprint.fingerprint(table({"text": ARTICLE}), NEAR, settings.Derivative(enabled=False))
    assert found["terms"].to_pylist() == [[]]
    assert found["sketch"].to_pylist() == [[]]
    assert found["signature"][0].as_py()
