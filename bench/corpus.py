"""Corpora of any size with known duplicates: `python -m bench corpus N FOLDER`.

Stories of the families (tests/data) and of templates, told again about other things (bench.skin), published over two years as a
news stream publishes: most events have one story; some have copies (exact, edited, cut, corrected) at up to fifty outlets,
some are rewritten, and some have what looks like a duplicate and is none: independent coverage, follow-ups that
repeat background, other issues of a series. Outlets put their furniture around them; two in a hundred are garbled.

FOLDER/raw/ gets JSONL files of 10,000 stories in time order, FOLDER/truth.parquet what is what, FOLDER/corpus.json the knobs.
With `--add`, N more stories of the last days go to further files of a corpus that is there: new events, and copies and rewrites of
its own. Every choice is a hash of seed and place, so that one file or one event can be made without the others.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from bench import skin
from bench.skin import keys, share

FILE, BATCH = 10_000, 256
"""Stories of a file, and of those that are written together."""
DAY = 86_400
RELATIONS = {
    "source": "none",
    "exact": "exact",
    "edited": "near",
    "cut": "near",
    "corrected": "near",
    "light": "derivative",
    "heavy": "derivative",
    "mixed": "derivative",
    "independent": "none",
    "followup": "none",
    "sametopic": "none",
    "series": "none",
}
"""Role -> what it is of its event's source."""
ROLES = tuple(RELATIONS)
WRITTEN = ("light", "heavy", "mixed", "independent", "followup", "sametopic")
"""Roles that the families have texts for, as the source has."""
STRETCHED = ("source", "independent", "followup", "sametopic")
"""Roles whose texts the other stories are made of."""
ADDED = np.array([ROLES.index(role) for role in ("exact", "edited", "cut", "light", "heavy", "mixed", "followup")])
"""What is added to events that are there, in equal shares."""
TRUTH = pa.schema(
    {
        "id": pa.string(),
        "event": pa.int64(),
        "role": pa.string(),
        "relation": pa.string(),
        "of": pa.string(),
        "published_at": pa.timestamp("s", "UTC"),
    }
)


@dataclass(frozen=True)
class Knobs:
    """What a corpus is made by. Shares are of events, but `series`, `garbled`, `undated` and `dated_only` of stories."""

    stories: int
    seed: int = 1
    days: int = 730
    end: str = "2026-11-20"
    copied: float = 0.08
    tail: float = 1.3
    """Exponent of the number of copies: more is fewer."""
    corrected: float = 0.02
    rewritten: float = 0.06
    independent: float = 0.05
    followup: float = 0.04
    sametopic: float = 0.03
    series: float = 0.02
    garbled: float = 0.005
    undated: float = 0.03
    dated_only: float = 0.08
    furnished: float = 0.05
    """Share of the outlets that leave furniture around their stories. Of the background stories .6 % are whole pages, and .6 % garbled."""


@dataclass(frozen=True, eq=False)
class Plan:
    """All stories in time order: event, member (0 is the source), role (place in ROLES), at (seconds since 1970): int64[n] each."""

    event: npt.NDArray[np.int64]
    member: npt.NDArray[np.int64]
    role: npt.NDArray[np.int64]
    at: npt.NDArray[np.int64]

    def take(self, places: Any) -> Plan:
        return Plan(self.event[places], self.member[places], self.role[places], self.at[places])

    def __len__(self) -> int:
        return len(self.event)


# ---- who publishes what when ------------------------------------------------------------------------------------------------


def plan(knobs: Knobs) -> Plan:
    """The stories of a corpus: whole events until there are enough of them, the last one cut short."""
    base = int(keys(knobs.seed, 1)[0])
    issues = int(knobs.series * knobs.stories)
    events = knobs.stories - issues
    event, member, role, lag = members(np.arange(events), base, knobs)
    keep = np.flatnonzero(np.argsort(np.argsort(event, kind="stable"), kind="stable") < events)
    event, member, role, lag = event[keep], member[keep], role[keep], lag[keep]
    at = np.minimum(
        published(np.arange(events), base, knobs)[event] + lag, _last(knobs) - keys(base, event, member).astype(np.int64) % 3600
    )
    several = _issues(issues, base, knobs)
    whole = Plan(*(np.concatenate(sides) for sides in zip((event, member, role, at), several, strict=True)))
    return whole.take(np.lexsort((whole.member, whole.event, whole.at)))


def members(event: npt.NDArray[np.int64], base: int, knobs: Knobs) -> tuple[npt.NDArray[np.int64], ...]:
    """Event, member, role and seconds after the source of all stories of some events."""

    def drawn(number: int) -> npt.NDArray[np.float64]:
        return share(keys(base, event, number))

    copies = np.where(drawn(1) < knobs.copied, np.clip(np.maximum(drawn(2), 1e-9) ** (-1 / knobs.tail), 1, 50), 0).astype(np.int64)
    rewrites = np.where(drawn(3) < knobs.rewritten, 1 + (3 * drawn(4) ** 2).astype(np.int64), 0)
    independent = drawn(5) < knobs.independent
    counts = {"source": np.ones(len(event), np.int64), "copies": copies, "corrected": drawn(7) < knobs.corrected, "rewrites": rewrites}
    counts |= {"independent": independent, "followup": drawn(8) < knobs.followup, "sametopic": drawn(9) < knobs.sametopic}
    events, members, roles, lags = [], [], [], []
    before = np.zeros(len(event), np.int64)
    for name, found in counts.items():
        count = np.asarray(found).astype(np.int64)
        rows = np.repeat(np.arange(len(event)), count)
        rank = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
        number = before[rows] + rank
        before += count
        choice, wait = share(keys(base, event[rows], number, 20)), share(keys(base, event[rows], number, 21))
        events.append(event[rows])
        members.append(number)
        roles.append(_role(name, choice, rank))
        lags.append(_lag(name, wait))
    return tuple(np.concatenate(side) for side in (events, members, roles, lags))


def _role(name: str, choice: npt.NDArray[np.float64], rank: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    if name == "copies":
        among = np.array([ROLES.index(role) for role in ("exact", "edited", "cut")])
        return among[np.searchsorted([0.4, 0.8], choice, side="right")]
    if name == "rewrites":
        among = np.array([ROLES.index(role) for role in ("light", "heavy", "mixed")])
        return among[(rank + (choice * 3).astype(np.int64)) % 3]
    return np.full(len(choice), ROLES.index(name))


def _lag(name: str, wait: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Seconds after the source: copies within hours, most rewrites within a day, follow-ups after days."""
    hours = {
        "source": wait * 0,
        "copies": 0.1 + 40 * wait**4,
        "corrected": 0.5 + 9 * wait,
        "rewrites": 0.7 + 60 * wait**3,
        "independent": 0.3 + 20 * wait**2,
        "followup": 26 + 240 * wait,
        "sametopic": 60 + 900 * wait,
    }[name]
    return (3600 * hours).astype(np.int64)


def published(event: npt.NDArray[np.int64], base: int, knobs: Knobs) -> npt.NDArray[np.int64]:
    """When the sources of some events appear: fewer at weekends and at night."""
    first = _last(knobs) - knobs.days * DAY
    day = (share(keys(base, event, 10)) * knobs.days).astype(np.int64)
    weekday = (first // DAY + day + 3) % 7
    moved = (weekday >= 5) & (share(keys(base, event, 11)) < 0.4)
    day = np.where(moved, np.maximum(day - 2, 0), day)
    hour = 24 * (0.25 + 0.7 * (share(keys(base, event, 12)) + share(keys(base, event, 13))) / 2)
    return first + day * DAY + (hour * 3600).astype(np.int64)


def _issues(count: int, base: int, knobs: Knobs) -> tuple[npt.NDArray[np.int64], ...]:
    """The issues of all series: of 8 to 104 over the two years; their events are numbered below zero, members are issues."""
    lengths = np.array([8, 24, 52, 104])[(keys(base, np.arange(count + 1), 30) % np.uint64(4)).astype(np.int64)]
    series = np.repeat(np.arange(count + 1), lengths)[:count]
    issue = np.arange(count) - np.searchsorted(series, series)
    step = knobs.days * DAY // lengths[series]
    at = _last(knobs) - knobs.days * DAY + issue * step + (step * 0.9 * share(keys(base, series, 31))).astype(np.int64)
    return -1 - series, issue, np.full(count, ROLES.index("series")), at


def _last(knobs: Knobs) -> int:
    """The end of the last day."""
    return int(datetime.fromisoformat(knobs.end).replace(tzinfo=UTC).timestamp()) + DAY


def added(knobs: Knobs, count: int, days: int) -> Plan:
    """`count` further stories of the last days: half of them new events and what belongs to them, half of events that are there.

    New events are numbered from the corpus's number of stories on. The old ones are of the last days, as lags go; a tenth of the
    copies are of stories of any age.
    """
    base = int(keys(knobs.seed, 1)[0])
    begin = _last(knobs) - days * DAY
    old = plan(knobs)
    sources = old.take((old.role == 0) & (old.at < _last(knobs) - 3 * 3600))
    number = np.arange(count // 2)
    role = ADDED[(keys(base, number, 42) % np.uint64(len(ADDED))).astype(np.int64)]
    rewriting, following = (np.isin(role, [ROLES.index(name) for name in some]) for some in (WRITTEN, ("followup",)))
    whole = told_whole(sources.event, knobs)
    alone = whole & (share(keys(base, sources.event, 8)) >= knobs.followup)
    chosen = np.empty(len(number), np.int64)
    for which, among in ((~rewriting, whole | True), (rewriting & ~following, whole), (following, alone)):
        every = np.flatnonzero(among)
        recent = every[sources.at[every] >= begin - 1.5 * DAY]
        late = which & (len(recent) > 0) & (rewriting | (share(keys(base, number, 41)) < 0.9))
        for taken, pool in ((which & ~late, every), (late, recent)):
            chosen[taken] = pool[(share(keys(base, number[taken], 40)) * len(pool)).astype(np.int64)]
    again = np.ones(len(number), np.bool_)  # an event has one follow-up: a second one would have the same text
    again[np.flatnonzero(following)[np.unique(chosen[following], return_index=True)[1]]] = False
    role = np.where(following & again, ROLES.index("exact"), role)
    wait = share(keys(base, number, 43))
    at = sources.at[chosen] + np.where(rewriting, _lag("rewrites", wait), _lag("copies", wait))
    at = np.where(following, np.maximum(at, sources.at[chosen] + 30 * 3600), at)
    at = np.where(at < begin, begin + (wait * 12 * 3600).astype(np.int64), at)
    at = np.minimum(at, _last(knobs) - 1 - (keys(base, number, 44) % np.uint64(3600)).astype(np.int64))
    more = replace(knobs, stories=count - len(number), series=0.0, days=days)
    event, member, roles, lag = members(knobs.stories + np.arange(more.stories), base, more)
    keep = np.flatnonzero(np.argsort(np.argsort(event, kind="stable"), kind="stable") < more.stories)
    event, member, roles, lag = event[keep], member[keep], roles[keep], lag[keep]
    new = np.minimum(published(event, base, more) + lag, _last(knobs) - 1 - keys(base, event, member).astype(np.int64) % 3600)
    sides = ((sources.event[chosen], event), (100 + number, member), (role, roles), (at, new))
    found = Plan(*(np.concatenate(pair) for pair in sides))
    return found.take(np.lexsort((found.member, found.event, found.at)))


# ---- what is in a story -----------------------------------------------------------------------------------------------------


def name_of(event: int, member: int) -> str:
    return f"e{event}.{member}" if event >= 0 else f"s{-1 - event}.{member}"


def told_whole(event: npt.NDArray[np.int64], knobs: Knobs) -> npt.NDArray[np.bool_]:
    """Which events are families told whole: those with rewrites, follow-ups and the like. The others vary in length."""
    base = int(keys(knobs.seed, 1)[0])
    wanted = ((3, knobs.rewritten), (5, knobs.independent), (8, knobs.followup), (9, knobs.sametopic))
    whole: npt.NDArray[np.bool_] = np.logical_or.reduce([share(keys(base, event, number)) < rate for number, rate in wanted])
    return whole


@dataclass
class Story:
    """One story to be written: paragraphs with the headline first, the keys of the words and of the figures of each; see skin.Orders."""

    paragraphs: list[int]
    keys: list[int]
    details: list[int]
    edited: float
    topic: int
    outlet: int
    own: int
    """Outlet of the event's source, and of this story."""


class Newsroom:
    """Decides on the contents of the stories of one corpus. Paragraphs are looked up once."""

    def __init__(self, knobs: Knobs) -> None:
        self.knobs = knobs
        self.base = int(keys(knobs.seed, 1)[0])
        self.skeleton, _ = skin.skeletons()
        self.families = sorted({family for family, _ in self.skeleton.roles})
        self.names = skin.outlets()

    def story(self, event: int, member: int, role: str, key: int, whole: bool) -> Story:
        """`key` is the event's. The choices about the event are drawn first and in one order: each of its stories finds the same."""
        chance = random.Random(key)  # noqa: S311  # choices must be repeatable, not secret
        topic = int(skin.TOPICS * chance.random() ** 2)
        outlet = int(12 * chance.random()) if chance.random() < 0.25 else int(len(self.names) * chance.random() ** 1.6)
        if event < 0:
            series = self.skeleton.series[int(chance.random() * len(self.skeleton.series))]
            return Story(series, [key] * len(series), [key ^ (member + 1)] * len(series), 0.0, topic, outlet, outlet)
        first, stride, size = int(chance.random() * len(self.families)), (5, 7, 11, 13)[int(4 * chance.random())], chance.random()
        chosen = [self.families[(first + place * stride) % len(self.families)] for place in range(6)]
        if whole:
            chosen = chosen[: 1 if size < 0.4 else 2 if size < 0.9 else 3]
            paragraphs = self._role(chosen, role if role in WRITTEN else "source")
        else:
            paragraphs = self._stretch(chosen, chance)
        same = role in {"source", "corrected", "followup", "sametopic"}
        own = outlet if same else (outlet + 1 + 97 * member % (len(self.names) - 1)) % len(self.names)
        found = Story(paragraphs, [key] * len(paragraphs), [key] * len(paragraphs), 0.0, topic, outlet, own)
        return self._changed(found, role, chosen if whole else [], random.Random(key + 1 + member))  # noqa: S311  # as above

    def _role(self, chosen: Sequence[str], role: str) -> list[int]:
        title, *body = self.skeleton.roles[chosen[0], role]
        return [title, *body, *(place for family in chosen[1:] for place in self.skeleton.roles[family, role][1:])]

    def _stretch(self, chosen: Sequence[str], chance: random.Random) -> list[int]:
        """Paragraphs of several families up to a length that is spread like that of real stories."""
        room = min(12_000.0, max(900.0, 3_500 * float(np.exp(0.55 * chance.gauss(0.0, 1.0)))))
        out: list[int] = []
        for family in chosen:
            title, *body = self.skeleton.roles[family, STRETCHED[int(chance.random() * len(STRETCHED))]]
            out += [] if out else [title]
            for place in body:
                if room <= 0:
                    return out
                out.append(place)
                room -= self.skeleton.sizes[place]
        return out

    def _changed(self, story: Story, role: str, chosen: Sequence[str], chance: random.Random) -> Story:
        """The event's text as this story has it."""
        key, last = story.keys[0], len(story.paragraphs) - 1
        if role == "edited" and chosen and chance.random() < 0.5:
            story.paragraphs = self._role(chosen, "syndicated")
            story.keys = story.details = [key] * len(story.paragraphs)
        elif role == "edited":
            dropped = chance.random() * 0.15
            kept = [place for place in story.paragraphs[2:] if chance.random() >= dropped]
            story.paragraphs = story.paragraphs[:2] + kept
            story.keys = [key] * len(story.paragraphs)
            story.edited = (0.0, 0.01, 0.02, 0.03)[int(4 * chance.random())]
            if chance.random() < 0.3:
                other = self.skeleton.roles[self.families[int(chance.random() * len(self.families))], "sametopic"]
                place = 2 + int(chance.random() * len(kept))
                story.paragraphs.insert(place, other[1 + int(chance.random() * (len(other) - 1))])
                story.keys.insert(place, key ^ 0x5DEECE66D)
            story.details = story.keys
        elif role == "cut":
            stop = max(min(4, last), int(last * (0.4 + 0.4 * chance.random()))) + 1
            story.paragraphs, story.keys, story.details = story.paragraphs[:stop], story.keys[:stop], story.details[:stop]
        elif role == "corrected":
            place = 1 + int(chance.random() * last)
            story.details = [*story.details[:place], key ^ 0x2545F491, *story.details[place + 1 :], key]
            story.paragraphs = [*story.paragraphs, _one(self.skeleton.lines["correction"], chance)]
            story.keys = [*story.keys, key]
        elif RELATIONS[role] == "derivative" and chance.random() < 0.6:
            story.paragraphs = [*story.paragraphs[:2], _one(self.skeleton.lines["attribution"], chance), *story.paragraphs[2:]]
            story.keys = story.details = [key] * len(story.paragraphs)
        return story

    def told(self, rows: Plan) -> list[tuple[Story, str]]:
        """The stories of some rows of the plan, and their texts, headline first."""
        event_keys = keys(self.base, rows.event, 50)
        whole = told_whole(rows.event, self.knobs)
        stories = [
            self.story(event, member, ROLES[role], key, is_whole)
            for event, member, role, key, is_whole in zip(
                rows.event.tolist(), rows.member.tolist(), rows.role.tolist(), event_keys.tolist(), whole.tolist(), strict=True
            )
        ]
        return list(zip(stories, self._texts(stories, rows), strict=True))

    def _texts(self, stories: Sequence[Story], rows: Plan) -> list[str]:
        lengths = [len(story.paragraphs) for story in stories]
        origin = rows.at // DAY
        times = [datetime.fromtimestamp(day * DAY, UTC) for day in origin.tolist()]
        detail = np.array([key for story in stories for key in story.details], np.uint64)
        orders = skin.Orders(
            np.concatenate([[0], np.cumsum(lengths)]),
            np.array([place for story in stories for place in story.paragraphs]),
            np.array([key for story in stories for key in story.keys], np.uint64),
            detail,
            np.repeat(keys(self.base, rows.event, rows.member, 60), lengths),
            np.repeat([story.edited for story in stories], lengths),
            np.array([story.topic for story in stories]),
            np.array([story.outlet for story in stories]),
            np.array([(at.weekday(), at.month, at.day, at.year) for at in times]),
        )
        return skin.write(orders)


def _one(among: Sequence[Any], chance: random.Random) -> Any:
    return among[int(chance.random() * len(among))]


# ---- how an outlet prints it ------------------------------------------------------------------------------------------------


class Press:
    """Turns texts into records: dates, bylines, furniture, encodings; each outlet has its own ways."""

    def __init__(self, knobs: Knobs) -> None:
        self.knobs = knobs
        self.names = skin.outlets()
        self.people = skin.invented(skin.NAMES)
        self.furniture = skin.parts()["furniture"]
        self.domains = [name.lower().removeprefix("the ").encode("ascii", "ignore").decode().replace(" ", "-") for name in self.names]

    def record(self, name: str, story: Story, text: str, at: int, key: int) -> dict[str, Any]:
        title, body = text[:-2].split("\n\n", 1)
        house, chance = random.Random(story.own + 1_000_003 * self.knobs.seed), random.Random(key)  # noqa: S311  # as in Newsroom
        outlet, domain = self.names[story.own], f"{self.domains[story.own]}.example"
        when = datetime.fromtimestamp(at, UTC)
        if house.random() < self.knobs.furnished:
            body = self._furnished(body, outlet, domain, when, house, chance)
        else:
            body = self._headed(body, outlet, when, house, chance)
        if house.random() < 0.4:
            body = body.replace("'", "’")
        if chance.random() < self.knobs.garbled:
            body = garbled(body)
        slug = "-".join(title.lower().encode("ascii", "ignore").decode().split()[:6])
        record = {
            "id": name,
            "title": title,
            "source": outlet,
            "url": f"https://{domain}/{when:%Y/%m/%d}/{slug}-{key % 10**7}",
            "text": body,
        }
        if chance.random() >= self.knobs.undated:
            zone = timezone(timedelta(hours=int(house.random() * 5) - 2))
            dated_only = chance.random() < self.knobs.dated_only
            record["published_at"] = f"{when:%Y-%m-%d}" if dated_only else when.astimezone(zone).isoformat()
        return record

    def _person(self, chance: random.Random) -> str:
        return f"{_one(self.people, chance)} {_one(self.people, chance)}"

    def _headed(self, body: str, outlet: str, when: datetime, house: random.Random, chance: random.Random) -> str:
        style = int(house.random() * 6)
        heads = (
            "",
            "",
            "",
            f"By {self._person(chance)}\n\n",
            f"By {self._person(chance)}, {outlet}\n\nPublished {when:%d %B %Y}\n\n",
            f"{when:%B %d, %Y}\n\n",
        )
        return heads[style] + body

    def _furnished(self, body: str, outlet: str, domain: str, when: datetime, house: random.Random, chance: random.Random) -> str:
        head = [line for line in self.furniture["head"] if house.random() < 0.2]
        tail = [line for line in self.furniture["tail"] if house.random() < 0.3]
        body = self._headed(body, outlet, when, house, chance)
        if house.random() < 0.4:
            related = [f"{self._person(chance)} to meet {self._person(chance)} in {_one(self.people, chance)}" for _ in range(3)]
            tail = [_one(self.furniture["related"], house), *related, *tail]
        if house.random() < 0.2:
            tail += self.furniture["comments"]
        lines = [*head, body, *tail]
        return "\n\n".join(lines).replace("OUTLET", outlet).replace("DOMAIN", domain)


def garbled(text: str) -> str:
    """UTF-8 read as a one-byte charset."""
    data = text.encode()
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")


# ---- files ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """One file to be written: its path and the rows of the plan."""

    path: Path
    rows: Plan
    knobs: Knobs


_DESK: dict[Knobs, tuple[Newsroom, Press]] = {}


def write_part(part: Part) -> pa.Table:
    """Write the stories of one file in time order; TRUTH of them."""
    if part.knobs not in _DESK:
        _DESK[part.knobs] = Newsroom(part.knobs), Press(part.knobs)
    newsroom, press = _DESK[part.knobs]
    rows = part.rows
    story_keys = keys(newsroom.base, rows.event, rows.member, 61).tolist()
    names = [name_of(event, member) for event, member in zip(rows.event.tolist(), rows.member.tolist(), strict=True)]
    part.path.parent.mkdir(parents=True, exist_ok=True)
    with part.path.open("w", encoding="utf-8") as lines:
        for begin in range(0, len(rows), BATCH):
            batch = slice(begin, begin + BATCH)
            for (story, text), name, at, key in zip(
                newsroom.told(rows.take(batch)), names[batch], rows.at[batch].tolist(), story_keys[batch], strict=True
            ):
                lines.write(json.dumps(press.record(name, story, text, at, key), ensure_ascii=False) + "\n")
    relation = [RELATIONS[ROLES[role]] for role in rows.role.tolist()]
    of = [name_of(event, 0) if found != "none" else None for event, found in zip(rows.event.tolist(), relation, strict=True)]
    columns = [names, rows.event, [ROLES[role] for role in rows.role.tolist()], relation, of, rows.at.astype("M8[s]")]
    return pa.table([pa.array(column).cast(field.type) for column, field in zip(columns, TRUTH, strict=True)], schema=TRUTH)


def parts(rows: Plan, raw: Path, knobs: Knobs, mark: str = "") -> Iterator[Part]:
    """The files of a plan, named by the day of their first story."""
    days: dict[str, int] = {}
    for begin in range(0, len(rows), FILE):
        taken = rows.take(slice(begin, begin + FILE))
        day = f"{datetime.fromtimestamp(int(taken.at[0]), UTC):%Y-%m-%d}"
        days[day] = days.get(day, -1) + 1
        yield Part(raw / f"{day}-{mark}{days[day]:03d}.jsonl", taken, knobs)


def write(rows: Plan, folder: Path, truth: Path, knobs: Knobs, mark: str = "", workers: int = 2) -> None:
    """Write all files and their truth; a worker holds one batch of texts at a time."""
    todo = list(parts(rows, folder / "raw", knobs, mark))
    with pq.ParquetWriter(truth, TRUTH) as out:
        if workers < 2 or len(todo) < 2:
            for part in todo:
                out.write_table(write_part(part))
            return
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            for table in pool.map(write_part, todo):
                out.write_table(table)


def read_knobs(folder: Path) -> Knobs:
    """The knobs of a corpus that is there.

    Raises:
        FileNotFoundError: there is none.
    """
    return Knobs(**json.loads((folder / "corpus.json").read_text(encoding="utf-8")))


def make(folder: Path, knobs: Knobs, workers: int = 2) -> None:
    """Write a corpus to an empty folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write(plan(knobs), folder, folder / "truth.parquet", knobs, workers=workers)
    (folder / "corpus.json").write_text(json.dumps(asdict(knobs), indent=1) + "\n", encoding="utf-8")


def add(folder: Path, count: int, days: int, workers: int = 2) -> None:
    """Write `count` new stories of the last days to further files of a corpus."""
    knobs = read_knobs(folder)
    write(added(knobs, count, days), folder, folder / "truth-added.parquet", knobs, "added-", workers)


def main(arguments: list[str]) -> int:
    wanted = argparse.ArgumentParser(
        prog="python -m bench corpus", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    wanted.add_argument("stories", type=int)
    wanted.add_argument("folder", type=Path)
    wanted.add_argument("--add", action="store_true", help="new stories of the last days for the corpus that is in the folder")
    wanted.add_argument("--last-days", type=int, default=2, help="with --add: of how many days")
    wanted.add_argument("--workers", type=int, default=2)
    for knob in fields(Knobs)[1:]:
        wanted.add_argument(f"--{knob.name.replace('_', '-')}", type=type(knob.default), default=knob.default)
    given = vars(wanted.parse_args(arguments))
    count, folder, adding, days, workers = (given.pop(name) for name in ("stories", "folder", "add", "last_days", "workers"))
    if adding:
        if not (folder / "corpus.json").exists():
            wanted.error(f"--add: there is no corpus in {folder}; make one first: python -m bench corpus N {folder}")
        add(folder, count, days, workers)
        return 0
    if (folder / "raw").exists() and any((folder / "raw").iterdir()):
        wanted.error(f"{folder}/raw is not empty")
    make(folder, Knobs(count, **given), workers)
    return 0
