"""Kernels against plain Python: every one has an oracle that is too simple to be wrong."""

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tasks import terms
from tasks.fingerprint import permutations
from tasks.kernels import digests, evidence, pairs, passages, reading, sketches
from tasks.kernels import terms as kernel

SCRIPTS = (
    "The QUICK brown fox’s 1,234.5 km at 7:30, don't",
    "Ярмо́к ЁЛКА и Москва́, 12-го мая 2024",
    "北約秘書長呂特表示，3.5%的目標。ﾊﾝｶｸ カタカナ ひらがな",
    "สวัสดีชาวโลก ລາວ ខ្មែរ မြန်မာ",
    "हिन्दी में समाचार ١٢٣ العربيّة עִבְרִית",
    "대한민국 정부는 Straße ﬁnance Ⅻ ª İstanbul ŒUVRE",
    "e\u0301te\u0301 été ❤️ 葛\U000e0100城 soft\u00adhyphen zero\u200bwidth 😀 a😀b",
)
settings.register_profile("compiling", deadline=None)  # the first call of a kernel compiles it
settings.load_profile("compiling")
texts = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="".join(SCRIPTS), max_size=80),
    st.lists(st.sampled_from(SCRIPTS), max_size=4).map(" ".join),
)
hashes = st.lists(st.integers(0, 2**64 - 1), max_size=40)


@given(st.lists(texts, max_size=5))
def test_tokenise_finds_the_terms_that_plain_python_finds(batch: list[str]) -> None:
    batch = [text.encode("utf-8", "ignore").decode() for text in batch]
    found = terms.tokenise(batch)
    for i, text in enumerate(batch):
        mine = found.hashes[found.rows[i] : found.rows[i + 1]].tolist()
        assert mine == [terms.hash_term(word) for word in terms.words(text)]


@given(texts)
def test_terms_are_where_they_are_said_to_be(text: str) -> None:
    data = text.encode("utf-8", "ignore")
    found = terms.tokenise([data.decode()])
    pieces = [data[b:e].decode() for b, e in zip(found.begins.tolist(), found.ends.tolist(), strict=True)]
    assume(all(len({terms._script(sign) for sign in piece} - {-1}) < 2 for piece in pieces))  # how a mixed word is read the others tell
    assert [word for piece in pieces for word in terms.words(piece)] == terms.words(data.decode())


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("word", [kernel.WORD]),
        ("1999 2024 12 7", [kernel.NUMERAL] * 4),
        ("123 1899 20245 A320", [kernel.NUMBER] * 4),
        ("北約", [kernel.SINGLE] * 2),
        ("G7", [kernel.NUMERAL]),
    ],
)
def test_kinds_of_terms(text: str, kinds: list[int]) -> None:
    assert terms.tokenise([text]).kinds.tolist() == kinds


def _kind(piece: str) -> int:
    """Kind of the term that stands in a piece of text, in plain Python."""
    found = [terms.point(character) for character in piece]
    if any(what == kernel.CHARACTER for what, _ in found):
        return kernel.SINGLE
    digits = "".join(folded for what, folded in found if what == kernel.DIGIT)
    letters = any(what == kernel.LETTER for what, _ in found)
    year = len(digits) == 4 and not letters and 1900 <= int(digits) < 2100
    return kernel.WORD if not digits else kernel.NUMERAL if len(digits) < 3 or year else kernel.NUMBER


numbers = st.text(alphabet="0129２٣a\u00ad 北é.", max_size=40)


@given(st.one_of(texts, numbers))
def test_kinds_are_those_that_plain_python_finds(text: str) -> None:
    data = text.encode("utf-8", "ignore")
    found = terms.tokenise([data.decode()])
    pieces = [data[b:e].decode() for b, e in zip(found.begins.tolist(), found.ends.tolist(), strict=True)]
    assert found.kinds.tolist() == [_kind(piece) for piece in pieces]


EXTREMES = {
    "nothing": "",
    "one term": "word",
    "only punctuation": "!?… — ,.\n",
    "one long word": "a" * 50_000,
    "the same two words": "a b " * 20_000,
    "the same sentence": "It rained in Riga on Monday. " * 200,
    "one figure": "1234567890" * 1_000,
    "only Han": "".join(chr(0x4E00 + i * 7919 % 0x5000) for i in range(5_000)),
    "only soft hyphens": "\u00ad" * 1_000,
    "nothing but one-letter words": "a " * 999 + "b",
}


@pytest.mark.parametrize("text", EXTREMES.values(), ids=EXTREMES)
def test_extreme_texts_are_tokenised_and_shingled_as_any(text: str) -> None:
    found = terms.tokenise(["before", text, "after"])
    mine = found.hashes[found.rows[1] : found.rows[2]].tolist()
    assert mine == [terms.hash_term(word) for word in terms.words(text)]
    values, starts = kernel.shingle(found.hashes, found.rows, 5)
    assert values[starts[1] : starts[2]].tolist() == sorted({terms.hash64(s) for s in terms.shingles(text, 5)})
    assert values[starts[2] : starts[3]].tolist() == [terms.hash64("after")]


def runs(hashes: Any, size: int) -> Any:
    """Hashes of all runs of `size` terms of one text."""
    out = np.empty(len(hashes), np.uint64)
    return out[: kernel.roll(hashes, size, out)] if len(hashes) >= size else out[:0]


@given(st.lists(st.text(alphabet="ab", min_size=1, max_size=3), max_size=12), st.integers(1, 14))
def test_runs_hash_as_their_written_form(words: list[str], size: int) -> None:
    found = runs(np.array([terms.hash_term(word) for word in words], np.uint64), size)
    assert found.tolist() == [terms.hash64(" ".join(words[i : i + size])) for i in range(len(words) - size + 1)]


@given(hashes, st.sampled_from([0, 32, 60]), st.integers(1, 100))
def test_distinct_values_are_sorted_wherever_they_crowd(values: list[int], shift: int, times: int) -> None:
    crowded = np.array([value >> shift for value in values] * times, np.uint64)  # fewer buckets the larger the shift
    out = np.empty(len(crowded), np.uint64)
    count = kernel.sort_distinct(crowded, np.empty(1 << kernel.BUCKET_BITS, np.int32), out)
    assert out[:count].tolist() == np.unique(crowded).tolist()


@given(texts, st.integers(1, 6))
def test_shingles_hash_as_their_written_form(text: str, size: int) -> None:
    text = text.encode("utf-8", "ignore").decode()
    found = terms.tokenise(["before", text, ""])
    values, starts = kernel.shingle(found.hashes, found.rows, size)
    assert values[starts[1] : starts[2]].tolist() == sorted({terms.hash64(s) for s in terms.shingles(text, size)})
    assert starts[3] == starts[2]


def test_a_text_of_fewer_words_than_a_shingle_is_one_shingle() -> None:
    assert terms.shingles("Three short words", 5) == ["three short words"]
    found = terms.tokenise(["Three short words"])
    assert kernel.shingle(found.hashes, found.rows, 5)[0].tolist() == [terms.hash64("three short words")]


@given(st.dictionaries(st.integers(1 << 8, 2**64 - 1), st.floats(0.1, 10), max_size=60))
def test_slots_keep_every_frequency_to_a_step(frequency: dict[int, float]) -> None:
    frequency = {term & ~0xFF: zipf for term, zipf in frequency.items()}
    table = kernel.slots(np.array(list(frequency), np.uint64), np.array(list(frequency.values()), np.float64), 128)
    for term, zipf in frequency.items():
        assert kernel.lookup(np.uint64(term), table) == pytest.approx(zipf, abs=0.0201)
    assert kernel.lookup(np.uint64(0x123456789ABCDEF0), table) == frequency.get(0x123456789ABCDE00, -1.0)


def test_slots_keep_the_largest_frequency_of_a_term() -> None:
    table = kernel.slots(np.array([4096, 4096, 4096], np.uint64), np.array([3.0, 5.0, 4.0]), 8)
    assert kernel.lookup(np.uint64(4096), table) == 5.0


def _rare(batch: list[str], cut: float) -> list[dict[int, float]]:
    found = terms.tokenise(batch)
    seen = np.array([terms.hash_term("common"), terms.hash_term("scarce")], np.uint64)
    table = kernel.slots(seen, np.array([6.0, 3.0]), 8)
    values, weights, starts = kernel.rare(found.hashes, found.kinds, found.rows, table, cut, cut - 2.0, 1.0)
    rows = [slice(starts[i], starts[i + 1]) for i in range(len(batch))]
    assert all((np.diff(values[row].astype(object)) > 0).all() for row in rows)
    return [dict(zip(values[row].tolist(), weights[row].tolist(), strict=True)) for row in rows]


def test_rare_terms_weigh_by_rarity() -> None:
    found = _rare(["common scarce scarce novel 2024 12 4711", "common", "北約秘書"], 4.0)
    assert sorted(found[0].values()) == [1.0, 1.0, 2.0]  # scarce (4 - 3), the number, and the unseen novel (4 - 2)
    assert found[1] == {}
    assert list(found[2].values()) == [1.0, 1.0]  # two runs of three characters


@given(st.lists(st.one_of(texts, numbers, st.just("common scarce " * 40)), max_size=3), st.sampled_from([1.5, 2.0, 4.0, 7.0]))
def test_rare_terms_are_those_that_plain_python_finds(batch: list[str], cut: float) -> None:
    batch = [text.encode("utf-8", "ignore").decode() for text in batch]
    for text, mine in zip(batch, _rare(batch, cut), strict=True):
        found = terms.tokenise([text])
        both = list(zip(found.hashes.tolist(), found.kinds.tolist(), strict=True))
        weigh = {term & ~1: cut - 2.0 for term, kind in both if kind == kernel.WORD}
        weigh |= {terms.hash_term(word) & ~1: cut - zipf for word, zipf in (("common", 6.0), ("scarce", 3.0)) if word in terms.words(text)}
        weigh |= {term | 1: 1.0 for term, kind in both if kind == kernel.NUMBER}
        for i in range(len(both) - 2):
            if all(kind == kernel.SINGLE for _, kind in both[i : i + 3]):
                weigh[int(runs(found.hashes[i : i + 3], 3)[0]) | 1] = 1.0
        assert mine == {term: weight for term, weight in weigh.items() if weight > 0}


sets = st.dictionaries(st.integers(0, 30), st.sampled_from([0.5, 1.0, 2.0]), min_size=1, max_size=20)


@settings(max_examples=25)
@given(sets, sets)
def test_samples_agree_by_weighted_jaccard(left: dict[int, float], right: dict[int, float]) -> None:
    weight = {term: left.get(term, right.get(term, 0.0)) for term in left | right}  # one weight a term, in both
    both = [sorted(left), sorted(right)]
    flat = np.array([terms.hash_term(str(term)) for one in both for term in one], np.uint64)
    weights = np.array([weight[term] for one in both for term in one], np.float32)
    count = 4096
    found = sketches.samples(flat, weights, np.array([0, len(left), len(flat)]), *permutations(count, 1))
    expected = sum(weight[t] for t in left if t in right) / sum(weight.values())
    deviation = math.sqrt(expected * (1 - expected) / count)
    assert abs((found[0] == found[1]).mean() - expected) <= 5 * deviation + 0.03  # in sets this small the series is cut short


def test_samples_of_many_terms_are_unbiased() -> None:
    flat = np.array([terms.hash_term(str(i)) for i in range(160)], np.uint64)
    weights = np.random.default_rng(0).uniform(0.1, 2.5, 160).astype(np.float32)
    count = 4096
    for first, last in ((0, 40), (40, 100), (20, 140), (60, 80), (100, 130)):  # of the first 100 terms and the last 100
        one, other = np.r_[0:last], np.r_[first:160]
        flat_both, weights_both = (np.concatenate([x[one], x[other]]) for x in (flat, weights))
        found = sketches.samples(flat_both, weights_both, np.array([0, last, last + 160 - first]), *permutations(count, 3))
        expected = float(weights[first:last].sum() / weights.sum())
        assert abs((found[0] == found[1]).mean() - expected) <= 4 * math.sqrt(expected * (1 - expected) / count)


def test_samples_do_not_depend_on_the_order_of_terms_or_on_other_texts() -> None:
    values = np.array([terms.hash_term(str(i)) for i in range(50)], np.uint64)
    weights = np.linspace(0.1, 3, 50).astype(np.float32)
    a, b = permutations(64, 7)
    alone = sketches.samples(values, weights, np.array([0, 50]), a, b)[0]
    order = np.random.default_rng(0).permutation(50)
    twice = sketches.samples(
        np.concatenate([values[:3], values[order]]), np.concatenate([weights[:3], weights[order]]), np.array([0, 3, 53, 53]), a, b
    )
    assert (twice[1] == alone).all()
    assert not twice[2].any()  # a text without terms


@pytest.mark.parametrize(("samples", "values"), [(64, 16), (100, 30), (384, 128), (4096, 1024)])
def test_outlines_resemble_as_their_lowest_bits_do(samples: int, values: int) -> None:
    chance = np.random.default_rng(samples)
    rows = 60
    sketch, signature = (chance.integers(0, 2**32, (rows, count), np.uint32) for count in (samples, values))
    for row in range(1, rows):  # so that all shares of equal values occur
        for matrix in (sketch, signature):
            same = chance.random(matrix.shape[1]) < row / rows
            matrix[row, same] = matrix[0, same]
    whole = np.hstack([sketches.outlines(sketch, 4), sketches.outlines(signature, 8)])
    left, right = np.zeros(rows, np.int64), np.arange(rows)
    split, filled = -(-samples // 16), (-samples % 16, -values % 8)
    equal = [((matrix ^ matrix[:1]) & mask == 0).sum(1) for matrix, mask in ((sketch, 15), (signature, 255))]
    for share in (0.1, 0.3, 0.7, 1.0):
        fields = np.full(rows, filled[0] + int(share * samples))
        never = 9 * values + 16
        assert (sketches.resembling(whole, split, left, right, fields, never) == (equal[0] >= int(share * samples))).all()
        never_fields = np.full(rows, 17 * samples + 16)
        bytes_equal = sketches.resembling(whole, split, left, right, never_fields, filled[1] + int(share * values))
        assert (bytes_equal == (equal[1] >= int(share * values))).all()


@given(st.lists(texts, max_size=3), st.integers(1, 6), st.integers(1, 8))
def test_winnowing_is_the_smallest_of_each_window(batch: list[str], size: int, window: int) -> None:
    found = terms.tokenise([text.encode("utf-8", "ignore").decode() for text in batch])
    values, starts = sketches.winnow(found.hashes, found.rows, size, window)
    for i in range(len(batch)):
        mine = found.hashes[found.rows[i] : found.rows[i + 1]]
        hashed = runs(mine, min(size, len(mine))).tolist() if len(mine) else []
        least = {min(hashed[k : k + window]) for k in range(max(1, len(hashed) - window + 1))} if hashed else set()
        assert values[starts[i] : starts[i + 1]].tolist() == sorted(least)


def test_what_is_shared_is_found_however_long_the_rest() -> None:
    values = np.random.default_rng(0).integers(0, 2**64, 1000, np.uint64)
    for first in range(0, 900, 30):
        other = np.concatenate([values[::-1], values[first : first + 23], values[7:100]])
        chosen, starts = sketches.winnow(np.concatenate([values, other]), np.array([0, 1000, 1000 + len(other)]), 8, 16)
        assert set(chosen[: starts[1]].tolist()) & set(chosen[starts[1] :].tolist())


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9)), max_size=40), st.integers(2, 5), st.integers(0, 10))
def test_proposals_are_the_pairs_that_share_a_key(entries: list[tuple[int, int]], hot: int, days: int) -> None:
    rows = sorted(set(entries))  # key, rank; the last two ranks have no date, a rank a day the others
    keys, ranks = (np.array([row[i] for row in rows], np.int64) for i in range(2))
    since = np.where(ranks >= 8, 0, np.maximum(0, ranks - days))
    packed, hot_keys, left_out = pairs.propose(keys.astype(np.uint64), ranks.astype(np.uint32), since.astype(np.uint32), hot)
    expected, hot_expected, missing = [], set(), 0
    for j, (key, rank) in enumerate(rows):
        before = [other for k, other in rows[:j] if k == key and (rank >= 8 or rank - other <= days)]
        expected += [(other, rank) for other in before[:hot]]
        missing += len(before[hot:])
        hot_expected |= {key} if before[hot:] else set()
    assert [(pair >> 32, pair & 0xFFFFFFFF) for pair in packed.tolist()] == expected
    assert (hot_keys, left_out) == (len(hot_expected), missing)


columns = st.lists(st.tuples(st.integers(0, 2**64 - 1) | st.integers(0, 3), st.integers(0, 9), st.integers(0, 9)), max_size=40)


def entries(rows: list[tuple[int, int, int]]) -> tuple[Any, Any, Any]:
    """key, rank, further of some entries."""
    kinds = (np.uint64, np.uint32, np.uint32)
    keys, ranks, further = (np.array([row[i] for row in rows], kind) for i, kind in enumerate(kinds))
    return keys, ranks, further


@given(columns, st.integers(1, 7))
def test_ranges_of_keys_hold_all_entries_in_the_order_of_the_keys(rows: list[tuple[int, int, int]], ranges: int) -> None:
    keys, ranks, further, starts = pairs.by_range(*entries(rows), ranges)
    told = list(zip(keys.tolist(), ranks.tolist(), further.tolist(), strict=True))
    assert len(starts) == ranges + 1
    for part in range(ranges):  # in each the entries as they came
        assert told[starts[part] : starts[part + 1]] == [row for row in rows if (row[0] >> 32) * ranges >> 32 == part]
    assert (starts[0], starts[-1]) == (0, len(rows))


@given(columns)
def test_entries_of_a_key_are_sorted_by_rank(rows: list[tuple[int, int, int]]) -> None:
    rows = sorted({(key, rank): (key, rank, further) for key, rank, further in rows}.values(), key=lambda row: row[0])
    keys, ranks, further = entries(rows)
    pairs.sort_within(keys, ranks, further)
    assert list(zip(keys.tolist(), ranks.tolist(), further.tolist(), strict=True)) == sorted(rows)


@given(hashes, hashes, st.integers(6, 20))
def test_a_bitmap_holds_all_it_was_filled_with(inside: list[int], other: list[int], bits: int) -> None:
    bitmap = pairs.filled(np.array(inside, np.uint64), bits)
    assert pairs.may_hold(bitmap, np.array(inside, np.uint64)).tolist() == list(range(len(inside)))
    low = {key % (1 << bits) for key in inside}
    assert pairs.may_hold(bitmap, np.array(other, np.uint64)).tolist() == [i for i, key in enumerate(other) if key % (1 << bits) in low]


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9), max_size=60))
def test_no_key_that_repeats_is_missed(keys: list[int]) -> None:
    found = pairs.may_repeat(np.array(keys, np.uint64))
    assert all(found[i] for i, key in enumerate(keys) if keys.count(key) > 1)
    many = np.random.default_rng(0).integers(0, 2**64, 10_000, np.uint64)
    assert pairs.may_repeat(many).mean() < 0.2


@given(st.lists(sets, min_size=2, max_size=4))
def test_weighted_jaccards(batch: list[dict[int, float]]) -> None:
    batch = [{term: 1.0 + term for term in one} for one in batch]  # one weight a term
    flat = np.array([term for one in batch for term in sorted(one)], np.uint64)
    weights = np.array([one[term] for one in batch for term in sorted(one)], np.float32)
    starts = np.concatenate([[0], np.cumsum([len(one) for one in batch])])
    found = pairs.weighted_jaccards(flat, weights, starts, np.array([0, 1]), np.array([1, 0]))
    expected = sum(1.0 + t for t in batch[0] if t in batch[1]) / sum(1.0 + t for t in batch[0] | batch[1])
    assert found.tolist() == pytest.approx([expected, expected])


@given(st.lists(hashes, min_size=2, max_size=4))
def test_intersections(sets: list[list[int]]) -> None:
    arrays = [np.unique(np.array(values, np.uint64)) for values in sets]
    starts = np.concatenate([[0], np.cumsum([len(array) for array in arrays])])
    left, right = np.triu_indices(len(arrays), 1)
    found = pairs.intersections(np.concatenate(arrays), starts, left, right)
    assert found.tolist() == [len(np.intersect1d(arrays[a], arrays[b])) for a, b in zip(left, right, strict=True)]


@given(st.lists(st.integers(0, 3), max_size=14), st.lists(st.integers(0, 3), max_size=14))
def test_shared_passages_are_all_that_are_within_no_other(left: list[int], right: list[int]) -> None:
    one, other = np.array(left, np.uint64), np.array(right, np.uint64)
    runs = [reading.run_hashes(array, np.array([0, len(array)]), evidence.RUN) for array in (one, other)]
    found = {tuple(stretch) for stretch in passages.shared(one, other, *runs).tolist()}
    expected = set()
    for i in range(len(left)):
        for j in range(len(right)):
            size = next(
                (k for k in range(min(len(left) - i, len(right) - j)) if left[i + k] != right[j + k]), min(len(left) - i, len(right) - j)
            )
            if size >= evidence.RUN and (i == 0 or j == 0 or left[i - 1] != right[j - 1]):
                expected.add((i, j, size))
    assert found == expected


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(4, 12)), max_size=6),
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(4, 12),
)
def test_what_is_left_beside_a_passage_overlaps_it_in_neither_text(
    stretches: list[tuple[int, int, int]], begin: int, start: int, length: int
) -> None:
    given_ = np.array(stretches, np.int64).reshape(-1, 3)
    left = passages.left_free(given_, np.array([begin, start, length]))
    whole = {(a + k, b + k) for a, b, size in stretches for k in range(size)}
    for a, b, size in left.tolist():
        assert size >= evidence.RUN
        assert {(a + k, b + k) for k in range(size)} <= whole
        assert not set(range(a, a + size)) & set(range(begin, begin + length))
        assert not set(range(b, b + size)) & set(range(start, start + length))


@given(st.integers(1, 6), st.integers(1, 4))
def test_band_keys_agree_exactly_where_bands_agree(bands: int, rows: int) -> None:
    generator = np.random.default_rng(bands * 10 + rows)
    values = generator.integers(0, 2, (12, bands * rows)).astype(np.uint32)
    keys = sketches.band_keys(values, bands, rows, 2)
    for i in range(12):
        for j in range(12):
            for band in range(bands):
                same = (values[i, band * rows : (band + 1) * rows] == values[j, band * rows : (band + 1) * rows]).all()
                assert (keys[i, band] == keys[j, band]) == same
    assert len(np.unique(keys[0])) == bands
    assert not np.isin(keys, sketches.band_keys(values, bands, rows, 3)).any()


@given(st.integers(1, 4), st.integers(0, 3))
def test_ruler_keys_agree_exactly_where_their_samples_agree(rows: int, further: int) -> None:
    generator = np.random.default_rng(rows * 10 + further)
    values = generator.integers(0, 2, (8, 40)).astype(np.uint32)
    keys = sketches.ruler_keys(values, rows, 2)
    more = sketches.further_samples(values, np.arange(keys.size), rows, further).reshape(keys.shape)
    assert (sketches.further_samples(values, np.array([3, 77]), rows, further) == more.reshape(-1)[[3, 77]]).all()
    places = (np.arange(40)[:, None] + sketches.RULER[: rows + further]) % 40
    for i in range(8):
        for j in range(8):
            same = values[i][places] == values[j][places]
            assert ((keys[i] == keys[j]) == same[:, :rows].all(1)).all()
            assert ((more[i] == more[j]) == same[:, rows:].all(1)).all()
    assert len(np.unique(keys[0])) == 40


def test_two_bands_of_the_ruler_share_one_sample_at_most() -> None:
    bands = [set(((j + sketches.RULER) % 256).tolist()) for j in range(256)]
    assert all(len(band) == len(sketches.RULER) for band in bands)
    assert max(len(bands[0] & band) for band in bands[1:]) == 1


@given(st.lists(texts, max_size=8))
def test_digests_are_fnv1a_finished(batch: list[str]) -> None:
    def plain(text: str) -> int:
        value = kernel.FNV_OFFSET
        for byte in text.encode():
            value = (value ^ byte) * kernel.FNV_PRIME % 2**64
        for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
            value = (value ^ value >> 33) * factor % 2**64
        return value ^ value >> 33

    assert digests.digest(*terms.buffers(batch)).tolist() == [plain(text) for text in batch]


@given(st.lists(st.integers(0, 2**64 - 1), max_size=20))
def test_hex_digits_are_read(values: list[int]) -> None:
    written = "".join(f"{value:016x}" for value in values)
    assert digests.from_hex(np.frombuffer(written.encode(), np.uint8)).tolist() == values


@given(st.lists(st.lists(st.integers(0, 9), max_size=12), min_size=1, max_size=4), st.lists(st.integers(0, 9), max_size=8))
def test_digests_are_counted_and_found(parts: list[list[int]], known: list[int]) -> None:
    counted = [digests.distinct(np.array(part, np.uint64)) for part in parts]
    values, times = digests.summed(*(np.concatenate(arrays) for arrays in zip(*counted, strict=True)))
    assert list(zip(values.tolist(), times.tolist(), strict=True)) == sorted(Counter(value for part in parts for value in part).items())
    found = digests.within(np.array(parts[0], np.uint64), np.sort(np.array(known, np.uint64)))
    assert found.tolist() == [value in known for value in parts[0]]
