"""The editors' word: what each entry does, what it leaves alone, and that it is obeyed whatever the order in which things came."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from inline import files, inline, run

from flows import explain
from flows.command_line import main
from flows.compare import compare
from tasks import cluster, overrides, recipe, settings, snapshots
from tasks.boilerplate import rebuild, strip_text
from tasks.boilerplate.rules import compile_rules, load_rules
from tasks.boilerplate.story import read_lines, strip_lines
from tasks.cluster import Member
from tasks.files import read_table
from tasks.overrides import Entry, Lines, OverridesError, Word, of_json
from tasks.overrides import file as overrides_file
from tasks.verdict import Judgement

A, B, C, D, E = (letter * 32 for letter in "abcde")


def same(one: str, other: str, **more: Any) -> Entry:
    return of_json({"kind": "same", "stories": [one, other], **more})


def different(one: str, other: str, **more: Any) -> Entry:
    return of_json({"kind": "different", "stories": [one, other], **more})


def keep(one: str) -> Entry:
    return of_json({"kind": "keep", "stories": [one]})


def line(text: str, boilerplate: bool, source: str | None = None) -> Entry:
    return of_json({"kind": "line", "text": text, "boilerplate": boilerplate, "source": source})


# ---- what entries mean --------------------------------------------------------------------------------------------------


def test_chains_of_same_make_one_bundle_and_different_holds_between_bundles() -> None:
    word = Word.of([same(A, B), same(C, B), different(C, D)])
    assert word.bundle(A) == word.bundle(C) == (A, B, C)
    assert word.apart(A, D) == word.apart(D, B) == different(C, D).id
    assert word.apart(A, B) is None
    assert word.joins(A, B) == same(A, B)
    assert word.joins(A, C) == same(A, B)  # none names both: the first that names A
    assert word.joins(A, D) is None


def test_neither_order_nor_notes_count() -> None:
    entries = [same(A, B), different(C, D), keep(E), line("More", True)]
    word = Word.of(entries)
    assert Word.of(reversed(entries)) == word
    assert same(B, A) == same(A, B)
    assert Word.of([*entries, same(A, B, who="mira", when="2026-01-31", why="read both")]).name == word.name
    assert len({word.name, Word.of(entries[1:]).name, Word.of([same(A, B, relation="derivative"), *entries[1:]]).name, Word().name}) == 4
    assert (Word().name, Word().lines.name) == ("none", "none")
    assert Word.of(entries[:3]).lines.name == "none"  # no line, no other recipe


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([same(A, B), different(B, A)], r"different-\w+ says that a+ and b+ are two stories, but same-\w+ makes them one: remove one"),
        ([same(A, B), same(B, C), different(A, C)], rf"but {same(A, B).id}, {same(B, C).id} makes them one"),
        ([same(A, B), keep(A), keep(B)], r"keep-\w+ and keep-\w+ keep two stories that same-\w+ makes one"),
        (
            [line("More", True), line("More ", False)],
            r"line-\w+ stands there twice and says two things \('More' is boilerplate; 'More' is not",
        ),
        ([same(A, B, relation="near"), same(A, B)], r"same-\w+ stands there twice"),
    ],
)
def test_contradictions_are_refused_and_named(entries: list[Entry], says: str) -> None:
    with pytest.raises(OverridesError, match=says):
        Word.of(entries)


def test_what_changed_names_all_stories_whose_cluster_may_be_another() -> None:
    before = [entry.to_json() for entry in (same(A, B), different(C, D), line("More", True))]
    assert Word.of([same(A, B), different(C, D)]).changed(before) == ()
    assert Word.of([same(A, B)]).changed(before) == (C, D)
    assert Word.of([different(C, D), different(B, E)]).changed(before) == (A, B, E)
    assert Word.of([same(A, B), different(C, D), different(B, E)]).changed(before) == (A, B, E)  # with B goes A


# ---- the file -----------------------------------------------------------------------------------------------------------

WRITTEN = f"""# of the night desk
# what stands up here stays

[[override]]
kind = "same"
stories = ["{A}", "{B}"]  # read on Monday
when = 2026-01-31T05:00:00Z

# about the next one
[[override]]
kind = "keep"
stories = ["{C}"]
"""


def test_an_entry_goes_and_comments_stay(tmp_path: Path) -> None:
    path = tmp_path / "overrides.toml"
    path.write_text(WRITTEN, encoding="utf-8")
    assert overrides.remove(path, "1") == same(A, B, when="2026-01-31T05:00:00Z")
    assert path.read_text(encoding="utf-8") == WRITTEN[: WRITTEN.index("\n[[")] + WRITTEN[WRITTEN.index("\n# about") :]
    overrides.add(path, same(A, B, when="2026-01-31T05:00:00Z"))
    assert overrides.read(path) == [keep(C), same(A, B, when="2026-01-31T05:00:00Z")]
    overrides.remove(path, keep(C).id)
    assert overrides.read(path) == [same(A, B, when="2026-01-31T05:00:00Z")]
    with pytest.raises(OverridesError, match=r"has no entry 2: it has 1; `copydesk override list`"):
        overrides.remove(path, "2")


def test_the_folder_of_the_file_is_made(tmp_path: Path) -> None:
    path = tmp_path / "desk" / "overrides.toml"
    overrides.add(path, keep(A))
    assert overrides.read(path) == [keep(A)]
    (tmp_path / "taken").touch()
    with pytest.raises(OverridesError, match="cannot be written"):
        overrides.add(tmp_path / "taken" / "overrides.toml", keep(A))


def test_two_who_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "overrides.toml"
    entries = [keep(f"{number:032x}") for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        for written in [pool.submit(overrides.add, path, entry) for entry in entries]:
            written.result()
    assert sorted(entry.id for entry in overrides.read(path)) == sorted(entry.id for entry in entries)


def test_links_and_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    real, path = tmp_path / "repository" / "word.toml", tmp_path / "overrides.toml"
    real.write_bytes(WRITTEN.replace("\n", "\r\n").encode())
    path.symlink_to(real)
    overrides.remove(path, "1")
    assert path.is_symlink()
    assert real.read_bytes() == (WRITTEN[: WRITTEN.index("\n[[")] + WRITTEN[WRITTEN.index("\n# about") :]).replace("\n", "\r\n").encode()


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), min_size=1).filter(str.strip), st.booleans())
def test_any_text_is_read_as_it_was_written(text: str, boilerplate: bool) -> None:
    entry = of_json({"kind": "line", "text": text, "boilerplate": boilerplate, "why": text})
    assert overrides_file._parse(overrides_file._block(entry)) == [entry]


def test_a_file_that_only_a_person_can_edit_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "overrides.toml"
    path.write_text(f'override = [{{kind = "keep", stories = ["{A}"]}}]\n', encoding="utf-8")
    assert overrides.load(settings.Overrides(file=str(path))).kept(A)
    for change in (lambda: overrides.remove(path, "1"), lambda: overrides.add(path, keep(B))):
        with pytest.raises(OverridesError, match="only a person can edit"):
            change()
    assert overrides.read(path) == [keep(A)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[override]\n", r"overrides: .*overrides.toml is not TOML"),
        ("[[overrides]]\n", r"overrides is unknown; entries are tables \[\[override\]\]"),
        ('[[override]]\nkind = "drop"\n', r"entry 1: kind = 'drop' is not allowed: it is one of same, different, keep, line"),
        (f'[[override]]\nkind = "same"\nstories = ["{A}"]\n', r"entry 1: stories must be a list of 2 story_ids"),
        (f'[[override]]\nkind = "same"\nstories = ["{A}", "{A}"]\n', r"stories must be a list of 2"),
        ('[[override]]\nkind = "keep"\nstories = ["qo-9913"]\n', r"stories must be a list of 1 story_id \(32 hex digits"),
        (f'[[override]]\nkind = "keep"\nstories = ["{A}"]\ncomment = "x"\n', r"comment is unknown; keep has stories, raw, who, when, why"),
        (f'[[override]]\nkind = "different"\nstories = ["{A}", "{B}"]\nrelation = "near"\n', r"relation is unknown; different has"),
        (f'[[override]]\nkind = "same"\nstories = ["{A}", "{B}"]\nrelation = "exact"\n', r"relation = 'exact' is not allowed"),
        ('[[override]]\nkind = "line"\ntext = "a\\nb"\nboilerplate = true\n', r"text must be one line"),
        ('[[override]]\nkind = "line"\ntext = "More"\n', r"boilerplate must be true \(the line goes\) or false"),
        (f'[[override]]\nkind = "keep"\nstories = ["{A}"]\nwhy = 3\n', r"why = 3 must be a text"),
    ],
)
def test_what_is_no_entry_is_told_in_a_sentence(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "overrides.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(settings.SettingsError, match=says):
        overrides.load(settings.Overrides(file=str(path)))


def test_the_file_is_found_beside_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "desk"
    home.mkdir()
    (home / "news.toml").write_text("[near]\nbands = 30\n", encoding="utf-8")
    assert settings.load(home / "news.toml").overrides.file is None
    (home / "overrides.toml").touch()
    assert settings.load(home / "news.toml").overrides.file == str(home / "overrides.toml")
    assert settings.load().overrides.file is None
    (tmp_path / "overrides.toml").touch()
    assert settings.load().overrides.file == "overrides.toml"
    assert settings.load(None, ["overrides.file=other.toml"]).overrides.file == "other.toml"
    with pytest.raises(settings.SettingsError, match=r"other.toml cannot be read: No such file"):
        overrides.load(settings.load(None, ["overrides.file=other.toml"]).overrides)
    assert recipe.recipe(settings.load()) == recipe.recipe(settings.load(home / "news.toml", ["near.bands=32"]))


# ---- clusters -----------------------------------------------------------------------------------------------------------


def verdict(a: str, b: str, relation: str | None, likeness: float = 0.9) -> Judgement:
    a, b = sorted((a, b))
    return Judgement(a, b, relation, likeness, likeness, likeness, likeness, likeness, likeness, likeness, 0.5)


def clustered(
    word: Word, links: dict[tuple[str, str], tuple[str, float]], names: str = "abcde"
) -> tuple[dict[str, cluster.Standing], dict[str, str]]:
    """The clusters of stories of some outlets, published one after the other, by what the verdict says of pairs."""
    members = {name * 32: Member(name * 32, f"{name}.example", number, 300, name.encode() * 16) for number, name in enumerate(names)}

    def judge(pairs: list[tuple[str, str]]) -> list[Judgement]:
        return [verdict(a, b, *links.get((a[0], b[0]), (None, 0.1))) for a, b in pairs]

    marks: dict[str, str] = {}
    asked = [(a * 32, b * 32) for a, b in links]
    asked += [pair for bundle in word.bundles() for pair in combinations(bundle, 2) if set(pair) <= set(members)]
    return cluster.anchored(members, judge(asked), judge, 0.9, word, marks), marks


def kept_for(standing: dict[str, cluster.Standing]) -> dict[str, str]:
    return {name[0]: found.kept[0] for name, found in standing.items()}


ALL_NEAR = dict.fromkeys(combinations("abcde", 2), ("near", 0.9))


def test_different_parts_two_and_leaves_the_others_where_they_are() -> None:
    assert kept_for(clustered(Word(), ALL_NEAR)[0]) == dict.fromkeys("bcde", "a")
    entry = different(A, C)
    standing, marks = clustered(Word.of([entry]), ALL_NEAR)
    assert kept_for(standing) == dict.fromkeys("bde", "a")
    assert marks == {A: entry.id, C: entry.id}
    assert not any(found.override for found in standing.values())


def test_of_two_that_would_join_a_third_the_less_alike_stays_out() -> None:
    word = Word.of([different(B, C)])
    assert kept_for(clustered(word, {("a", "b"): ("near", 0.8), ("a", "c"): ("near", 0.9)})[0]) == {"c": "a"}
    assert kept_for(clustered(word, {("a", "b"): ("near", 0.8), ("a", "c"): ("derivative", 0.9)})[0]) == {"b": "a"}
    standing, marks = clustered(word, {("a", "b"): ("near", 0.9), ("a", "c"): ("near", 0.9)})
    assert kept_for(standing) == {"b": "a"}  # as alike: the later one stays out
    assert set(marks) == {B, C}


def test_different_where_the_verdict_says_so_too_marks_nothing() -> None:
    standing, marks = clustered(Word.of([different(A, E)]), {("a", "b"): ("near", 0.9), ("d", "e"): ("near", 0.9)})
    assert (kept_for(standing), marks) == ({"b": "a", "e": "d"}, {})


def test_same_joins_two_that_nothing_else_would() -> None:
    entry = same(A, E)
    standing, _ = clustered(Word.of([entry]), {})
    assert kept_for(standing) == {"e": "a"}
    assert (standing[E].judgement.relation, standing[E].override, standing[E].reason) == ("near", entry.id, "earlier")
    standing, _ = clustered(Word.of([same(A, E, relation="derivative")]), {("a", "e"): ("near", 0.9)})
    assert standing[E].judgement.relation == "derivative"
    standing, _ = clustered(Word.of([same(A, E, relation="derivative")]), {("a", "e"): ("exact", 1.0)})
    assert standing[E].judgement.relation == "exact"  # equal texts are no matter of opinion


def test_a_bundle_goes_where_its_likest_member_goes_and_takes_the_others_along() -> None:
    entry = same(B, E)
    standing, _ = clustered(Word.of([entry]), {("a", "b"): ("near", 0.9), ("c", "e"): ("near", 0.8)})
    assert kept_for(standing) == {"b": "a", "e": "a"}
    assert (standing[B].override, standing[E].override) == (None, entry.id)  # B is a copy of A, E goes with it
    assert kept_for(clustered(Word.of([same(B, E), different(A, E)]), {("a", "b"): ("near", 0.9)})[0]) == {"e": "b"}
    assert kept_for(clustered(Word.of([entry]), {("a", "b"): ("derivative", 0.9)})[0]) == {
        "b": "a",
        "e": "a",
    }  # E is no copy that holds B back


def test_a_chain_of_same_joins_over_a_story_that_is_not_there() -> None:
    ghost = "f" * 32
    standing, _ = clustered(Word.of([same(A, ghost), same(ghost, C)]), {})
    assert kept_for(standing) == {"c": "a"}


def test_keep_overrules_the_policy_even_for_a_rewrite() -> None:
    links = {("a", "b"): ("derivative", 0.9), ("a", "c"): ("near", 0.9), ("b", "c"): ("derivative", 0.9)}
    assert kept_for(clustered(Word(), links)[0]) == {"b": "a", "c": "a"}
    entry = keep(C)
    standing, marks = clustered(Word.of([entry]), links)
    assert kept_for(standing) == {"a": "c", "b": "c"}
    assert standing[B].judgement.relation == "derivative"
    assert marks == {C: entry.id}
    assert {(found.override, found.reason) for found in standing.values()} == {(entry.id, "override")}


def test_keep_leaves_the_cluster_as_it_is() -> None:
    links = {("a", "b"): ("near", 0.9), ("a", "c"): ("near", 0.9), ("a", "d"): ("derivative", 0.9)}
    before, _ = clustered(Word(), links)
    standing, _ = clustered(Word.of([keep(D)]), links)
    assert {"a", *kept_for(before)} == {"d", *kept_for(standing)}
    assert {name[0]: found.judgement.relation for name, found in standing.items()} == dict.fromkeys("abc", "derivative")
    standing, marks = clustered(Word.of([keep(A)]), links)
    assert (standing, marks) == (before, {A: keep(A).id})  # as the policy has it


def test_two_that_are_kept_share_the_cluster_out_by_likeness() -> None:
    links = ALL_NEAR | {("b", "d"): ("near", 0.95), ("c", "e"): ("near", 0.95)}
    standing, marks = clustered(Word.of([keep(B), keep(C)]), links)
    assert kept_for(standing) == {"a": "b", "d": "b", "e": "c"}  # A is as like to both: the first in keep order has it
    assert set(marks) == {B, C}


NAMES = "01abc"
name_pairs = st.sampled_from(list(combinations(NAMES, 2)))
relations = st.tuples(st.sampled_from(["exact", "near", "near", "derivative"]), st.sampled_from([0.5, 0.7, 0.9]))
said = st.one_of(
    st.tuples(st.sampled_from(["same", "different", "different"]), name_pairs),
    st.tuples(st.just("keep"), st.sampled_from(NAMES)),
)


@hypothesis_settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(name_pairs, relations, min_size=3),
    st.lists(said, min_size=1, max_size=6),
    st.sampled_from([3, 1000]),
    st.randoms(use_true_random=False),
)
def test_the_word_holds_whatever_the_verdicts_and_in_any_order(
    links: dict[tuple[str, str], tuple[str, float]], told: list[tuple[str, Any]], longest: int, shuffled: random.Random
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "LONGEST_CHAIN", longest)
        _it_holds(links, told, shuffled)


def _it_holds(links: dict[tuple[str, str], tuple[str, float]], told: list[tuple[str, Any]], shuffled: random.Random) -> None:
    word = Word()
    for kind, names in told:
        entry = of_json({"kind": kind, "stories": [name * 32 for name in names]})
        try:
            word = Word.of([*word.entries, entry])
        except OverridesError:
            continue
    standing, marks = clustered(word, links, NAMES)
    at = {name * 32: standing[name * 32].kept if name * 32 in standing else name * 32 for name in NAMES}
    assert all(at[found.kept] == found.kept for found in standing.values())
    for entry in word.entries:
        clusters = {at[story] for story in entry.stories}
        if entry.kind == "same":
            assert len(clusters) == 1
        elif entry.kind == "different":
            assert len(clusters) == 2
        else:
            assert clusters == set(entry.stories)
    for name, found in standing.items():
        assert found.judgement.relation is not None
        assert found.override or (min(name[0], found.kept[0]), max(name[0], found.kept[0])) in links  # no pair is joined by nobody
    mixed = list(links.items())
    shuffled.shuffle(mixed)
    assert clustered(Word.of(shuffled.sample(word.entries, len(word.entries))), dict(mixed), NAMES) == (standing, marks)


# ---- lines --------------------------------------------------------------------------------------------------------------

STORY = """Ferry strike ends
By Ana Example
Dock workers in the port of Hallsund voted on Monday to end their strike after ten days, and the ferries will sail again on Tuesday.
The company said that it was glad of it, and that all the ferries would sail again from Tuesday morning at the old fares.
What the harbour master counts
On Friday he had counted forty ships that waited outside, and one of them carried nothing but clementines for the market.
Share this article"""


def stripped(*entries: Entry, source: str | None = "harbour.example", text: str = STORY) -> Any:
    lines = text.split("\n")
    decided = {n: bool(entry.boilerplate) for n, entry in Lines(entries).decided(source, lines).items()}
    (read,) = read_lines([text], compile_rules(load_rules()))
    found = strip_lines(read, decided=decided)
    assert rebuild(found.text, found.removed) == text
    return found


def gone(found: Any) -> dict[str, str]:
    return {one["text"]: one["rule"] for one in found.removed}


def test_a_line_goes_or_stays_by_an_editor_s_word() -> None:
    plain = stripped()
    assert plain == strip_text(STORY)
    assert gone(plain)["Share this article"] == "share"
    taken = stripped(line("What the harbour master counts", True))
    assert gone(taken) == gone(plain) | {"What the harbour master counts": "override"}
    left = stripped(line("  Share this article ", False))
    assert gone(left) == {text: rule for text, rule in gone(plain).items() if rule != "share"}
    assert left.text.endswith("Share this article")
    assert stripped(line("the harbour master counts", True)) == plain  # a whole line, as it stands


def test_lines_that_would_be_lifted_obey_too() -> None:
    left = stripped(line("By Ana Example", False), line("Ferry strike ends", False))
    assert left.text.startswith("Ferry strike ends\n\nBy Ana Example\n\n")
    assert (left.fields.title, left.fields.byline) == (None, None)
    assert stripped().fields.byline == "Ana Example"
    taken = stripped(line("By Ana Example", True))
    assert gone(taken)["By Ana Example"] == "override"
    assert taken.fields.byline is None


def test_a_line_of_one_source_is_stronger_than_one_of_all() -> None:
    entries = [line("Share this article", False), line("Share this article", True, "harbour.example")]
    assert gone(stripped(*entries))["Share this article"] == "override"
    assert "Share this article" not in gone(stripped(*entries, source="quay.example"))
    assert "Share this article" not in gone(stripped(*entries, source=None))
    assert gone(stripped(entries[1], source="quay.example"))["Share this article"] == "share"


# ---- runs ---------------------------------------------------------------------------------------------------------------

FAMILY = [json.loads(row) for row in (ROOT / "tests/data/families.jsonl").read_text(encoding="utf-8").splitlines()][:16]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """raw/ with two families of stories, one of them with a line of its outlet, and curated/ after a first run."""
    home = tmp_path_factory.mktemp("before")
    (home / "raw").mkdir()
    for row in FAMILY:
        told = row | {"text": f"{row['text']}\n\nThe Harbour Bulletin reads the tides for you"} if row["role"] == "light" else row
        (home / "raw" / f"{row['id']}.jsonl").write_text(json.dumps(told) + "\n", encoding="utf-8")
    with inline():
        run(home / "raw", home / "curated")
    return home


@pytest.fixture
def desk(before: Path, tmp_path: Path) -> Path:
    """A copy of it to work in."""
    shutil.copytree(before, tmp_path / "desk", symlinks=True)
    return tmp_path / "desk"


def rows(curated: Path) -> dict[str, dict[str, Any]]:
    """Decisions by raw_id."""
    return {row["raw_id"]: row for row in read_table(curated / "latest" / "decisions").to_pylist()}


def ids(curated: Path) -> dict[str, str]:
    return {name: row["story_id"] for name, row in rows(curated).items()}


def say(path: Path, entries: Iterable[Entry]) -> Path:
    path.unlink(missing_ok=True)
    path.touch()
    for entry in entries:
        overrides.add(path, entry)
    return path


def rerun(desk: Path, entries: Iterable[Entry], curated: str = "curated", **more: Any) -> Any:
    path = say(desk / "overrides.toml", entries)
    with inline():
        return run(desk / "raw", desk / curated, f"overrides.file={path}", **more)


def test_a_run_obeys_marks_and_works_no_story_again(desk: Path) -> None:
    before, id_of = rows(desk / "curated"), ids(desk / "curated")
    assert {name: before[name]["duplicate_of"] for name in ("dC00-light", "dC00-syndicated", "dC01-heavy")} == {
        "dC00-light": id_of["dC00-source"],
        "dC00-syndicated": id_of["dC00-source"],
        "dC01-heavy": id_of["dC01-source"],
    }
    entries = [
        different(id_of["dC00-light"], id_of["dC00-source"]),
        same(id_of["dC01-independent"], id_of["dC01-source"]),
        keep(id_of["dC01-heavy"]),
        keep("0" * 32),
    ]
    steps: list[str] = []
    path = say(desk / "overrides.toml", entries)
    with inline(step=steps.append):
        outcome = run(desk / "raw", desk / "curated", f"overrides.file={path}")
    assert outcome.end == "published"
    assert not {"task work", "task read"} & set(steps)
    assert "task carry" in steps
    after = rows(desk / "curated")
    assert after["dC00-light"]["outcome"] == "kept"
    assert after["dC00-light"]["override"] == after["dC00-source"]["override"] == entries[0].id
    assert (after["dC00-syndicated"]["duplicate_of"], after["dC00-syndicated"]["override"]) == (id_of["dC00-source"], None)
    assert (after["dC01-heavy"]["outcome"], after["dC01-heavy"]["override"]) == ("kept", entries[2].id)
    assert (after["dC01-source"]["duplicate_of"], after["dC01-source"]["reason"]) == (id_of["dC01-heavy"], "override")
    joined = after["dC01-independent"]
    assert (joined["cluster_id"], joined["override"], joined["relation"]) == (id_of["dC01-heavy"], entries[1].id, "derivative")
    assert joined["coverage"] is not None
    assert joined["evidence"] is not None
    untouched = {name for name, row in after.items() if row["override"] is None}
    assert {name: before[name] for name in untouched} == {name: after[name] for name in untouched}
    told = outcome.manifest["overrides"]
    assert told["unmatched"] == [keep("0" * 32).id]
    assert {one["id"]: (one["matched"], one["rows"]) for one in told["entries"]} == {
        entries[0].id: (True, 2),
        entries[1].id: (True, 1),
        entries[2].id: (True, sum(row["override"] == entries[2].id for row in after.values())),
        entries[3].id: (False, 0),
    }
    assert outcome.manifest["recipe"]["overrides"] == Word.of(entries).name == told["name"]
    assert outcome.manifest["recipe"]["hash"] == after["dC00-light"]["recipe"] == before["dC00-light"]["recipe"]


def test_the_run_warns_of_what_matches_nothing(desk: Path, caplog: pytest.LogCaptureFixture) -> None:
    lost = [keep("0" * 32), line("No story has this line", True)]
    found = line("The Harbour Bulletin reads the tides for you", True)
    outcome = rerun(desk, [*lost, found])
    assert outcome.manifest["overrides"]["unmatched"] == sorted(entry.id for entry in lost)
    warned = next(record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert all(entry.id in warned for entry in lost)
    assert found.id not in warned
    assert "No story has" not in warned  # no text in logs


def test_a_line_is_another_recipe(desk: Path) -> None:
    before = rows(desk / "curated")
    entry = line("The Harbour Bulletin reads the tides for you", True)
    outcome = rerun(desk, [entry])
    stories = {row["raw_id"]: row for table in ("stories", "duplicates") for row in read_table(desk / "curated/latest" / table).to_pylist()}
    for name, row in stories.items():
        taken = [one["text"] for one in row["removed"] if one["rule"] == "override"]
        assert taken == (["The Harbour Bulletin reads the tides for you"] if name.endswith("light") else [])
        assert "Harbour Bulletin" not in row["text"]
    assert outcome.manifest["recipe"]["hash"] != before["dC00-light"]["recipe"]
    assert next(iter(outcome.manifest["overrides"]["entries"]))["rows"] == 2
    with inline():  # the file is no longer named: as before
        run(desk / "raw", desk / "curated")
        run(desk / "raw", desk / "scratch")
    assert files(desk / "curated") == files(desk / "scratch")


def test_a_run_from_scratch_and_entries_in_any_order_make_the_same_bytes(desk: Path) -> None:
    id_of = ids(desk / "curated")
    entries = [
        different(id_of["dC00-heavy"], id_of["dC00-source"]),
        same(id_of["dC00-followup"], id_of["dC01-sametopic"], relation="derivative"),
        keep(id_of["dC01-mixed"]),
        line("The Harbour Bulletin reads the tides for you", False),
    ]
    rerun(desk, entries[:2])
    rerun(desk, entries)
    rerun(desk, reversed(entries), "scratch")
    assert files(desk / "curated") == files(desk / "scratch")
    assert rerun(desk, reversed(entries)).end == "nothing new"
    (desk / "raw" / "dC00-source.jsonl").unlink()
    rerun(desk, entries, prune=True)
    rerun(desk, entries, "pruned")
    assert files(desk / "curated") == files(desk / "pruned")


def test_a_bundle_stays_one_when_the_story_between_goes(desk: Path) -> None:
    id_of = ids(desk / "curated")
    between, *others = sorted(("dC00-independent", "dC01-independent", "dC01-sametopic"), key=lambda name: id_of[name])
    assert between == "dC00-independent"  # published first too: it stood for the others
    entries = [same(id_of[between], id_of[name]) for name in others]
    rerun(desk, entries)
    assert len({rows(desk / "curated")[name]["cluster_id"] for name in (between, *others)}) == 1
    file = desk / "raw" / f"{between}.jsonl"
    content = file.read_bytes()
    file.unlink()
    outcome = rerun(desk, entries, prune=True)
    assert outcome.manifest["overrides"]["unmatched"] == sorted(entry.id for entry in entries)
    assert len({rows(desk / "curated")[name]["cluster_id"] for name in others}) == 1
    rerun(desk, entries, "scratch")
    assert files(desk / "curated") == files(desk / "scratch")
    file.write_bytes(content)
    rerun(desk, entries)
    rerun(desk, entries, "again")
    assert files(desk / "curated") == files(desk / "again")


def test_one_of_each_source_obeys_too(desk: Path) -> None:
    id_of = ids(desk / "curated")
    entries = [same(id_of["dC00-independent"], id_of["dC00-heavy"]), different(id_of["dC00-light"], id_of["dC00-source"])]
    path = say(desk / "overrides.toml", entries)
    with inline():
        for curated in ("curated", "scratch"):
            run(desk / "raw", desk / curated, f"overrides.file={path}", "cluster.keep=one-per-source")
    assert files(desk / "curated") == files(desk / "scratch")
    after = rows(desk / "curated")
    assert all(row["outcome"] == "kept" for name, row in after.items() if name in ("dC00-independent", "dC00-heavy", "dC00-light"))
    stories = {
        name: row["cluster_id"] if row["same_story"] is None else row["same_story"]
        for name, row in after.items()
        if name.startswith("dC00")
    }
    assert stories["dC00-independent"] == stories["dC00-heavy"] == id_of["dC00-source"]
    assert stories["dC00-light"] == id_of["dC00-light"]


def test_a_corrected_record_needs_the_editor_s_word_anew(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The word was about the text that an editor had read."""
    id_of = ids(desk / "curated")
    rerun(desk, [different(id_of["dC00-light"], id_of["dC00-source"])])
    monkeypatch.chdir(desk)
    overrides.remove(desk / "overrides.toml", "1")
    assert main(["override", "different", "dC00-light", "dC00-source", "--json"]) == 0
    capsys.readouterr()
    raw = desk / "raw" / "dC00-light.jsonl"
    raw.write_text(raw.read_text(encoding="utf-8").replace('"title": "', '"title": "Corrected: '), encoding="utf-8")
    with inline():
        run(desk / "raw", desk / "curated", "overrides.file=overrides.toml")
    assert rows(desk / "curated")["dC00-light"]["outcome"] == "duplicate"
    (found,) = listed(capsys)
    assert found["state"] == "matches nothing"
    now = ids(desk / "curated")["dC00-light"]
    assert found["hint"] == f"dC00-light.jsonl#dC00-light is another record now ({now}): read it, then `renew`"
    assert main(["override", "renew", "1", "--why", "read again"]) == 0
    (entry,) = overrides.read(desk / "overrides.toml")
    assert (now in entry.stories, entry.why) == (True, "read again")
    with inline():
        run(desk / "raw", desk / "curated", "overrides.file=overrides.toml")
    assert rows(desk / "curated")["dC00-light"]["outcome"] == "kept"


def test_a_rolled_back_word_is_held_and_another_is_published(desk: Path) -> None:
    id_of = ids(desk / "curated")
    good = snapshots.latest(desk / "curated")
    bad = rerun(desk, [same(id_of["dC00-independent"], id_of["dC00-source"])]).snapshot
    assert good is not None
    snapshots.set_hold(desk / "curated", bad, good, "mira", "2026-01-31T05:00:00+00:00", None)
    snapshots.point_latest(desk / "curated", good, bad.name)
    entries = [same(id_of["dC00-independent"], id_of["dC00-source"])]
    assert rerun(desk, entries).end == "held"
    more = FAMILY[0] | {"id": "more", "text": "A story more: the ferry to Hallsund was late by an hour on Monday, and nobody said why."}
    (desk / "raw" / "more.jsonl").write_text(json.dumps(more) + "\n", encoding="utf-8")
    outcome = rerun(desk, entries)
    assert outcome.end == "held"
    assert outcome.manifest["held"]["repeats"] == [f"the overrides {Word.of(entries).name}"]
    assert rerun(desk, [different(id_of["dC00-light"], id_of["dC00-source"])]).end == "published"


def test_objects_instead_of_files(desk: Path, s3_server: dict[str, str], tmp_path: Path) -> None:
    id_of = ids(desk / "curated")
    path = say(tmp_path / "overrides.toml", [different(id_of["dC00-light"], id_of["dC00-source"]), keep(id_of["dC01-heavy"])])
    del s3_server
    from tasks.files import located

    with inline():
        from flows import curate as job

        done = job.curate.fn(
            str(desk / "raw"), "s3://news/overrides", overrides=("cluster.hot_key=2", "run.workers=2", f"overrides.file={path}")
        )
        assert done.end == "published"
        run(desk / "raw", desk / "curated", f"overrides.file={path}")
    assert files(located("s3://news/overrides")) == files(desk / "curated")


# ---- the verb -----------------------------------------------------------------------------------------------------------


def listed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main(["override", "list", "--json"]) == 0
    return [json.loads(row) for row in capsys.readouterr().out.splitlines()]


@pytest.fixture
def at_the_desk(desk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(desk)
    return desk


def test_the_verb_writes_lists_and_takes_back(at_the_desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    id_of = ids(at_the_desk / "curated")
    assert listed(capsys) == []
    commands = [
        ["different", "dC00-light", id_of["dC00-source"][:12], "--why", "its own leak", "--who", "mira"],
        ["same", "dC01-independent.jsonl#dC01-independent", "dC01-source", "--as", "derivative"],
        ["keep", "dC01-heavy"],
        ["line", "The Harbour Bulletin reads the tides for you", "--boilerplate", "--source", "The Nordic Ledger"],
    ]
    answers = []
    for command in commands:
        assert main(["override", *command, "--json"]) == 0
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0]["entry"]["raw"] == [
        f"{name}.jsonl#{name}" for name in sorted(("dC00-light", "dC00-source"), key=lambda name: id_of[name])
    ]
    assert "derivative duplicate of" in answers[0]["next"]
    assert "parts them" in answers[0]["next"]
    assert "two clusters now; the next run puts them in one cluster" in answers[1]["next"]
    assert "dC01-source.jsonl#dC01-source stands for it" in answers[2]["next"]
    assert "works all stories again, and takes this line off them" in answers[3]["next"]
    assert [(row["number"], row["id"], row["state"]) for row in listed(capsys)] == [
        (number, answer["id"], "not yet run") for number, answer in enumerate(answers, 1)
    ]
    with inline():
        run(at_the_desk / "raw", at_the_desk / "curated")  # finds the file in the working folder
    assert [(row["state"], row["rows"]) for row in listed(capsys)] == [("obeyed", 2), ("obeyed", 1), ("obeyed", 5), ("obeyed", 1)]
    assert main(["override", "remove", answers[0]["id"]]) == 0
    assert main(["override", "remove", "2"]) == 0
    states = {row["id"]: row["state"] for row in listed(capsys)}
    assert states == {
        answers[0]["id"]: "taken back",
        answers[1]["id"]: "obeyed",
        answers[2]["id"]: "taken back",
        answers[3]["id"]: "obeyed",
    }
    assert main(["override", "list"]) == 0


def test_explain_and_compare_say_that_an_editor_decided(desk: Path) -> None:
    id_of = ids(desk / "curated")
    entry = different(id_of["dC00-light"], id_of["dC00-source"], who="mira", why="its own leak")
    rerun(desk, [entry, keep(id_of["dC01-heavy"])])
    (told,) = explain.explanations(desk / "curated" / "latest", "dC00-light")
    assert told["override"] == entry.id
    assert told["editor"].endswith("are two stories (mira): its own leak")
    knobs = settings.load(None, [f"overrides.file={desk / 'overrides.toml'}"])
    found = compare("dC00-source", "dC00-light", desk / "curated", knobs)
    assert found["verdict"]["relation"] is not None  # the verdict stays what it is
    assert f"an editor has decided: A and B are two stories ({entry.id}, mira, its own leak)" in "\n".join(found["notes"])
    assert "B is kept" in "\n".join(compare("dC00-source", "dC01-heavy", desk / "curated", knobs)["notes"])


def test_what_the_verb_refuses(at_the_desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (at_the_desk / "raw" / "twin.jsonl").write_text('{"id": "dC00-light", "text": "x"}\n{"id": "empty", "text": ""}\n', encoding="utf-8")
    with inline():
        run(at_the_desk / "raw", at_the_desk / "curated")
    id_of = ids(at_the_desk / "curated")
    overrides.add(at_the_desk / "overrides.toml", different(id_of["dC00-heavy"], id_of["dC00-source"]))
    written = (at_the_desk / "overrides.toml").read_bytes()
    refused: list[tuple[list[str], str]] = [
        (["keep", "nobody"], "no record of raw_id or story_id 'nobody'"),
        (["keep", "dC00-light"], "'dC00-light' names 2 records; name one by its story_id, or enough of its beginning:\n  "),
        (["keep", "empty"], "'empty' was put in quarantine by"),
        (["same", "dC00-heavy", id_of["dC00-heavy"]], "are one record"),
        (["same", "dC00-source", "dC00-heavy"], "with this entry different-"),
        (["different", "dC00-source", "dC00-heavy"], "says so already: different-"),
        (["remove", "7"], "has no entry 7: it has 1; `copydesk override list` shows them"),
        (["renew", "1"], "does not say where its stories were read"),
        (["line", "  ", "--boilerplate"], "text must be one line that is not blank"),
        (["keep", "dC00-heavy", "--curated", "elsewhere"], "no snapshot under elsewhere yet"),
        (["list", "--settings", "none.toml"], "none.toml cannot be read"),
    ]
    for command, says in refused:
        assert main(["override", *command]) == 2, command
        assert says in capsys.readouterr().err
    assert (at_the_desk / "overrides.toml").read_bytes() == written


def test_a_run_with_a_broken_file_does_not_begin(desk: Path) -> None:
    (desk / "overrides.toml").write_text("[[override]]\n", encoding="utf-8")
    with inline(), pytest.raises(settings.SettingsError, match=r"overrides.toml: entry 1: kind = None is not allowed"):
        run(desk / "raw", desk / "curated", f"overrides.file={desk / 'overrides.toml'}")
