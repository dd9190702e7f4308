"""The furniture of sources: what is learnt from what recurs, what stays although it recurs, and that the model is frozen and readable."""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import copydesk
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tasks import furniture, recipe, schema, settings
from tasks.furniture import Recurring, Story
from tasks.furniture.lines import fold, prose_before

OUTLET = "The Gullport Herald"
CASES = json.loads((Path(__file__).parent / "cases" / "furniture.json").read_text(encoding="utf-8"))
COPYRIGHT = "© 2024 Gullport Herald Media. All rights reserved."
MENU = ["Harbour", "Town hall", "Courts", "Weather", "Tides", "Schools", "Letters", "Chess", "Boats for sale", "Archive"]
FEWER = hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def vocabulary(seed: int, size: int = 4_000) -> list[str]:
    """Invented words, the same at every run."""
    chance = random.Random(seed)  # noqa: S311 - the same stories at every run
    parts = ["ba", "du", "fe", "gor", "hin", "jas", "kel", "lum", "mo", "ner", "pia", "rost", "sal", "tev", "und", "wex", "yor", "zim"]
    return ["".join(chance.choices(parts, k=3)) for _ in range(size)]


def paragraphs(number: int, words: list[str], count: int = 8) -> list[str]:
    """The paragraphs of a story about nothing else's subject."""
    chance = random.Random(f"story {number}")  # noqa: S311 - the same stories at every run
    return [f"{' '.join(chance.choices(words, k=18)).capitalize()}." for _ in range(count)]


def story(number: int, lines: Iterable[str], source: str = OUTLET) -> Story:
    day = (datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number)).date().isoformat()
    return Story(source, f"{number * 7919 % 997:03d}-{number}", day, "\n\n".join(lines))


def corpus(line: str, where: str, every: int, count: int = 40) -> list[Story]:
    """Stories that have nothing in common but a line in one of `every`; {n} and {year} differ in it."""
    words = vocabulary(1)
    found = []
    for number in range(count):
        text = paragraphs(number, words)
        if number % every == 0:
            place = {"head": 0, "inside": 4, "last": len(text) - 1, "tail": len(text)}[where]
            text.insert(place, line.format(n=number * 37 + 11, year=2019 + number % 3 if line.startswith("©") else 1900 + number))
        found.append(story(number, text))
    return found


def verdicts(stories: Iterable[Story]) -> dict[str, Recurring]:
    return {line.folded: line for line in furniture.fit([list(stories)]).lines}


def hand(line: str, place: Any = "any", source: str = OUTLET) -> Recurring:
    return Recurring(source, True, place, "by hand", 0, 0, 0, line)


# ---- what is learnt, and what stays ------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES["takes"], ids=lambda case: case["label"])
def test_furniture_is_learnt(case: dict[str, Any]) -> None:
    found = verdicts(corpus(case["line"], case["where"], case["every"]))
    assert [line.take for line in found.values()] == [True], found
    fresh = paragraphs(1_000, vocabulary(1))
    again = case["line"].format(n=5, year=2031).upper().replace("©", " © ")
    fresh.insert({"head": 0, "inside": 4, "tail": len(fresh)}[case["where"]], again)
    assert furniture.ready(found.values()).known(OUTLET, fresh) == (fresh.index(again),)


@pytest.mark.parametrize("case", CASES["leaves"], ids=lambda case: case["label"])
def test_what_recurs_and_belongs_to_stories_stays(case: dict[str, Any]) -> None:
    """It is listed for an editor, with the reason, where it has words at all; and a fitted model takes none of it anywhere."""
    stories = corpus(case["line"], case["where"], case["every"])
    found = verdicts(stories)
    assert [line.take for line in found.values()] in ([False], []), found
    assert all(line.why for line in found.values())
    assert furniture.ready(found.values()).sources == {}


def test_a_menu_goes_as_a_block_and_its_words_stay_subheads() -> None:
    words = vocabulary(2)
    stories = [story(number, [*MENU, f"Headline {number} of its own", *paragraphs(number, words), *MENU]) for number in range(30)]
    found = verdicts(stories)
    assert {line.place for line in found.values() if line.take} == {"block"}
    ready = furniture.ready(found.values())
    page = [*MENU, "", "Another headline", *paragraphs(99, words), "Tides", *paragraphs(98, words)]
    assert ready.known(OUTLET, page) == tuple(range(len(MENU)))


def test_a_table_in_some_stories_is_no_menu() -> None:
    """The head of a league table, a cell a line, in every fourth story; the teams below it stand in another order each time."""
    words = vocabulary(7)
    head = ["Place", "Team", "Played", "Won", "Drawn", "Lost", "Points"]
    stories = []
    for number in range(40):
        text = paragraphs(number, words)
        stories.append(story(number, [*text[:6], *head, str(number), *text[6:]] if number % 4 == 0 else text))
    assert [line.take for line in verdicts(stories).values()] == [False] * len(head)


def test_the_background_of_a_trial_is_no_furniture_although_it_speaks_to_the_reader() -> None:
    """Twelve of sixty stories end with one sentence, on twelve days; but they have its names in their other lines, and no others do."""
    words = vocabulary(3)
    background = "Orrin Vasker, once our mayor, denies that he sold your harbour land to his brother's company behind closed doors."
    saga = "Lawyers of Vasker and his brother argued about the harbour land, the company and the doors of the mayor on day {}."
    stories = []
    for number in range(60):
        text = paragraphs(number, words)
        stories.append(story(number, [*text[:4], saga.format(number), *text[4:], background] if number % 5 == 0 else text))
    found = verdicts(stories)[fold(background)]
    assert (found.take, found.place, found.why) == (False, "tail", "its stories are of one template or topic")


@pytest.mark.parametrize(
    "line", ["You will find the forecast for the whole coast and for your own town here again tomorrow at six.", "Good night"]
)
def test_the_sentences_of_a_template_stay(line: str) -> None:
    """A daily forecast: every story of the source says the same with other figures."""
    frame = [
        "The wind turns to the north and freshens to {} knots in the afternoon, with showers along the whole coast.",
        "Temperatures reach {} degrees inland and {} at the harbour, which is usual for the season and the water.",
        "Fishing boats should expect waves of {} feet beyond the mole, and visibility of {} miles between showers.",
    ]
    chance = random.Random(4)  # noqa: S311 - the same stories at every run
    stories = [
        story(
            number, [*(text.format(*chance.choices(range(1, 40), k=3)) + f" Gust {chance.choice(vocabulary(5))}." for text in frame), line]
        )
        for number in range(40)
    ]
    found = verdicts(stories)
    assert fold(line) in found
    assert not any(one.take for one in found.values()), found


def test_copies_of_one_story_are_one_story() -> None:
    """Ten copies, versions and reprints of one story within a source are no evidence, and neither are stories of two days."""
    stories = corpus("Nothing", "inside", 40)
    copies = [Story(OUTLET, stories[0].cluster, f"2025-01-{day:02d}", f"{stories[0].text}\n\n{COPYRIGHT}") for day in range(1, 11)]
    assert verdicts([*stories, *copies]) == {}
    two_days = [one._replace(day=f"2024-02-0{1 + number % 2}") for number, one in enumerate(corpus(COPYRIGHT, "tail", 1))]
    assert [(line.take, line.why) for line in verdicts(two_days).values()] == [(False, "in stories of 2 days only")]
    undated = [one._replace(day=None) for one in two_days]
    assert [(line.take, line.days) for line in verdicts(undated).values()] == [(True, 0)]


def test_sources_are_learnt_by_themselves_and_small_ones_not_at_all() -> None:
    herald, small = corpus(COPYRIGHT, "tail", 1), [one._replace(source="Marsh Weekly") for one in corpus(COPYRIGHT, "tail", 1, 19)]
    model = furniture.fit([small, herald])
    assert {line.source for line in model.lines} == {OUTLET}
    assert (model.stories, model.sources) == (40, 1)
    with pytest.raises(furniture.FurnitureError, match=r"no source has 20 different stories \(the largest has 19\)"):
        furniture.fit([small])
    with pytest.raises(furniture.FurnitureError, match="the largest has 0"):
        furniture.fit([])


def test_a_line_must_recur_often_enough() -> None:
    assert verdicts(corpus(COPYRIGHT, "tail", 10)) == {}  # four stories of forty
    assert len(verdicts(corpus(COPYRIGHT, "tail", 8))) == 1


# ---- looking lines up --------------------------------------------------------------------------------------------------


def test_lines_are_compared_without_case_spaces_numbers_and_dates() -> None:
    ready = furniture.ready([hand("1,204 Comments on Monday, 4 March 2024"), hand("Impressum und Straße"), hand("A 1 newsletter")])
    same = ["7 comments on friday, 31 December 2025", "  IMPRESSUM   und Straße\t", "\u00a0a 22 Newsletter", "a 1 newsletter"]
    other = ["Comments on Monday", "7 comments on Friday", "", "   ", "Impressum", "newsletter", "1,204"]
    assert ready.known(OUTLET, same + other) == (0, 1, 2, 3)
    assert [fold(one) for one in ("le 3 janv. 2024", "3 de mayo de 2023", "May 3rd, 2024", "May we 3")] == ["le #", "#", "#", "may we #"]


def test_nothing_is_known_of_other_sources() -> None:
    ready = furniture.ready([hand(COPYRIGHT)])
    assert ready.known(OUTLET, [COPYRIGHT]) == (0,)
    assert ready.known("The Gullport Chronicle", [COPYRIGHT]) == ready.known(None, [COPYRIGHT]) == ready.known(OUTLET, []) == ()


def test_a_line_of_the_tail_is_taken_only_at_the_tail() -> None:
    text = paragraphs(1, vocabulary(1))
    ready = furniture.ready([hand("Harbour desk", "tail"), hand("Coast", "head")])
    assert ready.known(OUTLET, ["Coast", *text, "Another story's title", "Harbour desk"]) == (0, len(text) + 2)
    assert ready.known(OUTLET, ["Harbour desk", *text, "Coast"]) == ()
    assert ready.known(OUTLET, [*text[:4], "Harbour desk", "Coast", *text[4:]]) == ()
    assert ready.known(OUTLET, ["Coast", "No prose here", "Harbour desk"]) == (0, 2)
    assert prose_before(["Short", "x" * 120, "y" * 120], set()) == [0.0, 0.0, 0.5]


@given(st.lists(st.text() | st.sampled_from([COPYRIGHT, COPYRIGHT.upper(), "© 1 gullport herald media. all rights reserved.", "Tides"])))
def test_the_fast_way_finds_what_folding_every_line_finds(lines: list[str]) -> None:
    wanted = tuple(number for number, line in enumerate(lines) if fold(line) in {fold(COPYRIGHT), "tides"})
    assert furniture.ready([hand(COPYRIGHT), hand("Tides")]).known(OUTLET, lines) == wanted


@given(st.text())
def test_folding_again_changes_nothing(line: str) -> None:
    assert fold(fold(line)) == fold(line)


# ---- the file ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stories() -> list[Story]:
    """A source with a menu, a copyright line, subheads and a subscription box; thirty stories, five of them twice."""
    words = vocabulary(6)
    found = []
    for number in range(30):
        text = paragraphs(number, words)
        inner = ["What happens next"] if number % 2 else ["Subscribe to the Herald's newsletter"]
        found.append(story(number, [*MENU, *text[:4], *inner, *text[4:], COPYRIGHT.replace("2024", str(2020 + number % 3))]))
    return found + [one._replace(text=f"{one.text}\n\nA later version.") for one in found[:5]]


@pytest.fixture(scope="module")
def fitted(stories: list[Story], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fitted") / "furniture.jsonl"
    furniture.write(furniture.fit([stories]), path)
    return path


@FEWER
@given(chance=st.randoms(use_true_random=False))
def test_same_stories_in_any_order_same_bytes(
    stories: list[Story], fitted: Path, tmp_path_factory: pytest.TempPathFactory, chance: random.Random
) -> None:
    others = [one._replace(source="Marsh Weekly") for one in stories[:25]]
    bytes_of = []
    for mixed in (False, True):
        groups = [list(stories), list(others)]
        if mixed:
            for group in [*groups, groups]:
                chance.shuffle(group)  # type: ignore[arg-type]
        path = tmp_path_factory.mktemp("order") / "furniture.jsonl"
        furniture.write(furniture.fit(groups), path)
        bytes_of.append(path.read_bytes())
    assert bytes_of[0] == bytes_of[1]
    assert fitted.read_bytes() != bytes_of[0]


def test_a_model_comes_back_as_it_was_written_and_can_be_read_by_people(stories: list[Story], fitted: Path) -> None:
    model = furniture.fit([stories])
    assert furniture.read(fitted) == model.lines
    head, *lines = [json.loads(line) for line in fitted.read_text(encoding="utf-8").splitlines()]
    assert (head["format"], head["stories"], head["sources"]) == ("copydesk-furniture-1", 30, 1)
    assert lines == [dataclasses.asdict(line) for line in model.lines]
    told = {line["line"]: (line["take"], line["stories"], line["of"]) for line in lines}
    assert told["What happens next"] == (False, 15, 30)
    assert told["Subscribe to the Herald's newsletter"] == (True, 15, 30)
    assert told["© 2020 Gullport Herald Media. All rights reserved."] == (True, 30, 30)
    assert [line["take"] for line in lines] == sorted((line["take"] for line in lines), reverse=True)
    assert list(fitted.parent.glob(".*")) == []


def test_an_editor_deletes_turns_and_adds_lines(fitted: Path, tmp_path: Path) -> None:
    edited = tmp_path / "edited.jsonl"
    page = ["Subscribe to the Herald's newsletter", "What happens next", "A word from the Herald", COPYRIGHT]
    assert furniture.load(str(fitted)).known(OUTLET, page) == (0, 3)
    kept = [line for line in fitted.read_text(encoding="utf-8").splitlines() if "newsletter" not in line]
    turned = [line.replace('"take": false', '"take": true') if "What happens next" in line else line for line in kept]
    added = json.dumps({"source": OUTLET, "take": True, "line": "A WORD from the Herald"})
    edited.write_text("\ufeff" + "\r\n".join([*turned, "", added, ""]), encoding="utf-8")
    assert furniture.load(str(edited)).known(OUTLET, page) == (1, 2, 3)
    assert furniture.name(str(edited)) != furniture.name(str(fitted))


def test_the_name_is_of_what_is_taken(fitted: Path, tmp_path: Path) -> None:
    lines = furniture.read(fitted)
    name = furniture.name(str(fitted))
    assert furniture.ready(reversed(lines)).name == name
    assert furniture.ready([line for line in lines if line.take]).name == name
    assert furniture.ready([dataclasses.replace(line, stories=1, why="") for line in lines]).name == name
    assert furniture.ready(lines[1:]).name != name
    assert furniture.ready([dataclasses.replace(line, place="any") for line in lines]).name != name
    shutil.copy(fitted, tmp_path / "moved.jsonl")
    assert furniture.name(str(tmp_path / "moved.jsonl")) == name


GOOD = {"source": OUTLET, "take": True, "line": "Share"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda text: text.replace("furniture-1", "furniture-9"),
            "its format is 'copydesk-furniture-9', not 'copydesk-furniture-1'; fit it",
        ),
        (lambda text: text[text.index("\n") + 1 :], "its first line names no format"),
        (lambda text: text[:0], "its first line names no format"),
        (lambda text: text[:0] + "[]", "its first line names no format"),
        (lambda text: text[:-40], r"line \d+ is not a JSON object: .*; delete it or put it right"),
        (lambda text: text + "Share this\n", r"line \d+ is not a JSON object: 'Share this'"),
        (lambda text: text + json.dumps(GOOD | {"takes": 1}), r"line \d+: takes is unknown; known are source, line, "),
        (lambda text: text + json.dumps(GOOD | {"take": "yes"}), 'take must be true or false, and is "yes"'),
        (lambda text: text + json.dumps(GOOD | {"stories": True}), "stories must be a whole number, and is true"),
        (lambda text: text + json.dumps(GOOD | {"source": None}), "source must be a text, and is null"),
        (lambda text: text + json.dumps({"source": OUTLET, "take": True}), "line must be a text, and is null"),
        (lambda text: text + json.dumps(GOOD | {"place": "middle"}), "place is 'middle'; allowed are any, head, tail, block"),
        (lambda text: text + json.dumps(GOOD | {"line": " "}), "line is blank"),
    ],
)
def test_what_is_no_model_is_refused(fitted: Path, tmp_path: Path, change: Callable[[str], str], message: str) -> None:
    path = tmp_path / "changed.jsonl"
    path.write_text(change(fitted.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(settings.SettingsError, match=f"settings: strip.furniture: .*{message}"):
        furniture.read(path)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.jsonl").write_bytes(b"\xff\xfe\x00")
    for name, message in (
        ("none.jsonl", "cannot be read: No such file or directory; make one with `copydesk fit furniture --out "),
        ("latin.jsonl", "not UTF-8"),
        (".", "cannot be read"),
    ):
        with pytest.raises(settings.SettingsError, match=message):
            furniture.name(str(tmp_path / name))


# ---- in a run ----------------------------------------------------------------------------------------------------------


def test_the_recipe_has_the_model_by_content(fitted: Path, tmp_path: Path) -> None:
    plain = recipe.recipe(settings.load())
    ours = recipe.recipe(settings.load(None, [f"strip.furniture={fitted}"]))
    assert recipe.difference(plain, ours) == [f"furniture: none -> {furniture.name(str(fitted))}"]
    moved = tmp_path / "moved.jsonl"
    shutil.copy(fitted, moved)
    assert recipe.recipe(settings.load(None, [f"strip.furniture={moved}"])) == ours
    moved.write_text("\n".join(fitted.read_text(encoding="utf-8").splitlines()[:-12]), encoding="utf-8")
    assert recipe.recipe(settings.load(None, [f"strip.furniture={moved}"])) != ours
    with pytest.raises(settings.SettingsError, match=r"none\.jsonl cannot be read"):
        recipe.recipe(settings.load(None, ["strip.furniture=none.jsonl"]))


def published(stories: list[Story], folder: Path) -> None:
    """As much of a snapshot as `fit` reads: kept stories and duplicates, the copyright line already removed from every other one."""
    rows: dict[str, list[dict[str, Any]]] = {"stories": [], "duplicates": []}
    seen: set[str] = set()
    for number, one in enumerate(stories):
        lines = one.text.split("\n\n")
        gone = [{"rule": "copyright", "zone": "tail", "line": len(lines) - 1, "text": lines[-1]}] if number % 2 else []
        day = datetime.fromisoformat(f"{one.day}T12:00:00+00:00") if one.day else None
        fixed = {"story_id": f"{number:032x}", "cluster_id": one.cluster, "source": one.source, "published_at": day, "removed": gone}
        text = {"text": "\n\n".join(lines[:-1] if gone else lines), "word_count": 1, "repairs": [], "raw_id": "a", "raw_uri": "a.txt"}
        table = "duplicates" if one.cluster in seen else "stories"
        rows[table].append(dict.fromkeys(schema.STORIES.names) | fixed | text)
        seen.add(one.cluster)
    for table, found in rows.items():
        (folder / table).mkdir(parents=True, exist_ok=True)
        for part in range(2):
            pq.write_table(pa.Table.from_pylist(found[part::2], schema.TABLES[table]), folder / table / f"{part}.parquet")


@pytest.fixture
def snapshot(stories: list[Story], tmp_path: Path) -> Path:
    alone = [Story("Marsh Weekly", "m", None, "A single story.\n\nOf a small source."), Story("", "n", None, "No source.\n\nAt all.")]
    published([*stories, *alone], tmp_path / "curated" / "snapshots" / "one")
    (tmp_path / "curated" / "latest").symlink_to("snapshots/one")
    return tmp_path


def test_the_command_writes_the_model_and_shows_what_would_go(snapshot: Path, stories: list[Story]) -> None:
    done = copydesk("fit", "furniture", "--out", "models/ours.jsonl", cwd=snapshot)
    assert done.returncode == 0, done.stderr
    path = snapshot / "models" / "ours.jsonl"
    flat = [one._replace(text=one.text.replace("\n\n", "\n")) for one in stories]  # removed lines stand between paragraphs
    furniture.write(furniture.fit([flat]), snapshot / "flat.jsonl")
    assert furniture.name(str(path)) == furniture.name(str(snapshot / "flat.jsonl"))
    assert OUTLET in done.stdout
    assert [line.split() for line in done.stdout.splitlines() if "newsletter" in line] == [
        ["15", "of", "30", "15", "Subscribe", "to", "the", "Herald's", "newsletter"]
    ]
    assert [line.split()[:4] for line in done.stdout.splitlines() if "© 2020" in line] == [["30", "of", "30", "15"]]
    assert any("a menu of 10 lines: Archive, Boats" in line for line in done.stdout.splitlines())
    assert f"{furniture.name(str(path))}: 12 lines of 1 sources, learnt from 30 stories of 1 sources" in done.stdout
    assert "1 more lines recur and stay" in done.stdout
    assert 'copydesk run --set strip.furniture="models/ours.jsonl"' in done.stdout
    again = copydesk("fit", "furniture", cwd=snapshot)
    assert (again.returncode, (snapshot / "furniture.jsonl").read_bytes()) == (0, path.read_bytes())


def test_wrong_usage_ends_with_2_and_a_sentence(snapshot: Path, tmp_path: Path) -> None:
    nothing = copydesk("fit", "furniture", "--curated", "nowhere")
    assert (nothing.returncode, "no snapshot under nowhere" in nothing.stderr) == (2, True)
    shutil.rmtree(snapshot / "curated")
    published([story(1, ["One line.", "Another."])], tmp_path / "curated" / "snapshots" / "one")
    (tmp_path / "curated" / "latest").symlink_to("snapshots/one")
    small = copydesk("fit", "furniture", cwd=snapshot)
    assert small.returncode == 2, small.stderr
    assert "no source has 20 different stories (the largest has 1)" in small.stderr
    assert not (snapshot / "furniture.jsonl").exists()
    assert copydesk("fit", "nonsense").returncode == 2
