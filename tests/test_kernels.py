"""Kernels against plain Python: every one has an oracle that is too simple to be wrong."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import terms
from tasks.kernels import pairs, sketches
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


sets = st.dictionaries(st.integers(0, 30), st.sampled_from([0.5, 1.0, 2.0]), min_size=1, max_size=20)


@settings(max_examples=25)
@given(sets, sets)
def test_samples_agree_by_weighted_jaccard(left: dict[int, float], right: dict[int, float]) -> None:
    weight = {term: left.get(term, right.get(term, 0.0)) for term in left | right}  # one weight a term, in both
    both = [sorted(left), sorted(right)]
    flat = np.array([terms.hash_term(str(term)) for one in both for term in one], np.uint64)
    weights = np.array([weight[term] for one in both for term in one], np.float32)
    count = 4096
    found = sketches.samples(flat, weights, np.array([0, len(left), len(flat)]), count, 1)
    expected = sum(weight[t] for t in left if t in right) / sum(weight.values())
    deviation = math.sqrt(expected * (1 - expected) / count)
    assert abs((found[0] == found[1]).mean() - expected) <= 5 * deviation + 1e-9
    for row, one in enumerate(both):
        assert set(found[row].tolist()) <= {terms.hash_term(str(term)) >> 32 for term in one}


def test_samples_do_not_depend_on_the_order_of_terms_or_on_other_texts() -> None:
    values = np.array([terms.hash_term(str(i)) for i in range(50)], np.uint64)
    weights = np.linspace(0.1, 3, 50).astype(np.float32)
    alone = sketches.samples(values, weights, np.array([0, 50]), 64, 7)[0]
    order = np.random.default_rng(0).permutation(50)
    twice = sketches.samples(
        np.concatenate([values[:3], values[order]]), np.concatenate([weights[:3], weights[order]]), np.array([0, 3, 53, 53]), 64, 7
    )
    assert (twice[1] == alone).all()
    assert not twice[2].any()  # a text without terms


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9)), max_size=40, unique=True), st.integers(2, 5))
def test_proposals_are_the_pairs_that_share_a_key(rows: list[tuple[int, int]], hot: int) -> None:
    rows = sorted(rows)
    keys = np.array([key for key, _ in rows], np.uint64)
    stories = np.array([story for _, story in rows], np.uint64)
    lower, upper, hot_keys, left_out = pairs.propose(keys, stories, hot)
    expected, hot_expected, missing = [], 0, 0
    for key in sorted({k for k, _ in rows}):
        members = [story for k, story in rows if k == key]
        hot_expected += len(members) > hot
        for i, one in enumerate(members):
            for other in members[i + 1 :]:
                if i < hot:
                    expected.append((min(one, other), max(one, other)))
                else:
                    missing += 1
    assert list(zip(lower.tolist(), upper.tolist(), strict=True)) == expected
    assert (hot_keys, left_out) == (hot_expected, missing)


@given(hashes, hashes)
def test_intersections(left: list[int], right: list[int]) -> None:
    one, other = np.unique(np.array(left, np.uint64)), np.unique(np.array(right, np.uint64))
    weights = np.arange(len(one), dtype=np.float32)
    shared = np.isin(one, other)
    assert pairs.intersection(one, other) == shared.sum()
    assert pairs.weighted_intersection(one, other, weights) == weights[shared].sum()


@given(st.lists(st.integers(0, 3), max_size=14), st.lists(st.integers(0, 3), max_size=14), st.data())
def test_longest_run_is_the_longest_of_all(left: list[int], right: list[int], data: st.DataObject) -> None:
    free = [np.array(data.draw(st.lists(st.booleans(), min_size=len(x), max_size=len(x))), np.bool_) for x in (left, right)]
    one, other = np.array(left, np.uint64), np.array(right, np.uint64)
    begin, start, length = pairs.longest_run(one, other, *free)
    every = [
        size
        for i in range(len(left))
        for j in range(len(right))
        for size in range(1, min(len(left) - i, len(right) - j) + 1)
        if left[i : i + size] == right[j : j + size] and free[0][i : i + size].all() and free[1][j : j + size].all()
    ]
    assert length == max(every, default=0)
    if length:
        assert left[begin : begin + length] == right[start : start + length]


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
