"""The editors' word: a reviewed file of entries that overrule verdicts and rules.

An entry says that two stories are one (`same`) or two (`different`), that a story stands for its cluster (`keep`), or that a line is or
is not boilerplate (`line`). What the entries mean does not depend on their order, nor on who wrote them, when and why:

- *same* is transitive: the stories that a chain of entries joins are one bundle, whose members always stand in one cluster. That is so too
  where a story in the middle of the chain is not in the seen set.
- *different* holds between bundles: no story of the one ever stands in a cluster with one of the other. Where both would join a third,
  the less alike stays out (the later in keep order, if they are equally alike).
- *keep* makes the story stand for its cluster whatever the keeping policy says: the cluster is as it would be, with another anchor. Two that
  are kept never stand for each other: their cluster is shared out, and each other member is with the one that it is most like.
- *line* is about a whole line of the repaired text, white space at its ends aside, wherever it stands. One about a source is stronger than one
  about all.

Entries that contradict each other are refused when they are read. Stories are named by story_id, which is made of the record's own bytes: when
a record changes, entries about it match nothing until an editor has looked again. So no word is ever taken for a text that nobody has read.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast, get_args

import pyarrow as pa

from tasks import files, settings

Kind = Literal["same", "different", "keep", "line"]
Relation = Literal["near", "derivative"]
RULE = "override"
"""What `removed` names as the rule of a line that an editor calls boilerplate."""
_HEAD = "# The editors' word on single stories and lines. `copydesk override` writes it, runs obey it; review it like code.\n"
_TABLE = "override"
_KEYS: dict[str, tuple[str, ...]] = {
    "same": ("stories", "relation"),
    "different": ("stories",),
    "keep": ("stories",),
    "line": ("text", "source", "boilerplate"),
}
_NOTES = ("raw", "who", "when", "why")


class OverridesError(settings.SettingsError):
    """Entries that cannot be used; the text names the file and the entries, and says what to do."""


@dataclass(frozen=True)
class Entry:
    """One entry of the file.

    Attributes:
        kind: same, different, keep or line.
        stories: story_ids, ascending: two, of keep one, of line none.
        relation: of same: near or derivative; None leaves it to the verdict, and is near where that sees two stories.
        text, source, boilerplate: of line; source None means all.
        raw: raw_uri#raw_id of each story, for people.
        who, when, why: for people; when is UTC, to the second.
    """

    kind: Kind
    stories: tuple[str, ...] = ()
    relation: Relation | None = None
    text: str = ""
    source: str | None = None
    boilerplate: bool | None = None
    raw: tuple[str, ...] = ()
    who: str | None = None
    when: str | None = None
    why: str | None = None

    @cached_property
    def id(self) -> str:
        """Of what it is about, whatever it says of it: `same-1f2e3d4c5b`."""
        about = [self.text, self.source] if self.kind == "line" else list(self.stories)
        digest = hashlib.sha256(json.dumps([self.kind, *about]).encode()).hexdigest()
        return f"{self.kind}-{digest[:10]}"

    @property
    def meaning(self) -> str:
        """All of it that can change a row."""
        return json.dumps([self.kind, *self.stories, self.relation, self.text, self.source, self.boilerplate])

    def __str__(self) -> str:
        """What it says, in words."""
        names = [raw or story for raw, story in zip(self.raw or self.stories, self.stories, strict=True)]
        if self.kind == "line":
            verb = "is" if self.boilerplate else "is not"
            return f"{self.text!r} {verb} boilerplate{f' in {self.source}' if self.source else ''}"
        if self.kind == "keep":
            return f"keep {names[0]}"
        return f"{names[0]} and {names[1]} are {'one story' if self.kind == 'same' else 'two stories'}"

    def to_json(self) -> dict[str, Any]:
        """As the file has it, without what is not said."""
        told = {"kind": self.kind, "stories": list(self.stories), "raw": list(self.raw), "relation": self.relation}
        if self.kind == "line":
            told = {"kind": self.kind, "text": self.text, "source": self.source, "boilerplate": self.boilerplate}
        told |= {"who": self.who, "when": self.when, "why": self.why}
        return {name: value for name, value in told.items() if value not in (None, [])}


# ---- what the entries mean ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lines:
    """The entries about lines: what strip is told."""

    entries: tuple[Entry, ...] = ()

    @property
    def name(self) -> str:
        """16 hex digits of what they say, `none` without any: part of the recipe."""
        return _name(self.entries)

    @cached_property
    def _by_text(self) -> dict[str, dict[str | None, Entry]]:
        found: dict[str, dict[str | None, Entry]] = {}
        for entry in self.entries:
            found.setdefault(entry.text, {})[entry.source] = entry
        return found

    def decided(self, source: str | None, lines: Sequence[str]) -> dict[int, Entry]:
        """The lines of a story of a source that an entry is about, by number."""
        known, found = self._by_text, {}
        for number, line in enumerate(lines):
            if (told := known.get(line.strip())) and (entry := told.get(source) or told.get(None)):
                found[number] = entry
        return found

    def count(self, table: pa.Table) -> dict[str, int]:
        """In how many healthy stories of a REPAIRED table each entry finds its line, by id; those that find none are left out."""
        found: Counter[str] = Counter()
        healthy = table.select(["source", "text"]).filter(table["reason"].is_null())
        for source, text in zip(healthy["source"].to_pylist(), healthy["text"].to_pylist(), strict=True):
            found.update({entry.id for entry in self.decided(source, text.split("\n")).values()})
        return dict(sorted(found.items()))


@dataclass(frozen=True)
class Word:
    """All entries, distinct, in the order of their ids. `of` makes it."""

    entries: tuple[Entry, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Word:
        """What some entries mean together.

        Raises:
            OverridesError: two contradict each other.
        """
        known: dict[str, Entry] = {}
        for entry in entries:
            other = known.setdefault(entry.id, entry)
            if other.meaning != entry.meaning:
                raise OverridesError(f"{entry.id} stands there twice and says two things ({other}; {entry}): remove one")
        word = cls(tuple(known[name] for name in sorted(known)))
        word._refuse_contradictions()
        return word

    @property
    def name(self) -> str:
        """16 hex digits of what they say, `none` without any: two snapshots with one name were made under the same word."""
        return _name(self.entries)

    @cached_property
    def lines(self) -> Lines:
        return Lines(tuple(entry for entry in self.entries if entry.kind == "line"))

    @cached_property
    def of_stories(self) -> tuple[Entry, ...]:
        """The entries that clustering obeys."""
        return tuple(entry for entry in self.entries if entry.kind != "line")

    def group(self, story: str) -> str:
        """The first story_id of the bundle that a story is in: its own, where no entry joins it to another."""
        return self._bundles.get(story, (story,))[0]

    def bundle(self, story: str) -> tuple[str, ...]:
        """All stories that entries make one with a story, itself included, ascending."""
        return self._bundles.get(story, (story,))

    def bundles(self) -> list[tuple[str, ...]]:
        """Those of two stories or more."""
        return sorted(set(self._bundles.values()))

    def joins(self, one: str, other: str) -> Entry | None:
        """The entry that makes two stories one: the one that names both, else the first that names `one`; None where none does."""
        if one == other or self.group(one) != self.group(other):
            return None
        entries = self._same[one]
        return next((entry for entry in entries if other in entry.stories), entries[0])

    def joined(self, story: str) -> Entry | None:
        """The first entry that makes a story one with any other."""
        return next(iter(self._same.get(story, ())), None)

    def apart(self, one: str, other: str) -> str | None:
        """The id of the entry that says that two stories, or two of their bundles, are two."""
        return self._apart.get(_pair(self.group(one), self.group(other))) if self._apart else None

    def kept(self, story: str) -> str | None:
        """The id of the entry that keeps a story."""
        return self._kept.get(story)

    def concerns(self, story: str) -> bool:
        """Does any entry say anything of a story?"""
        return story in self._named

    def changed(self, before: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
        """The stories on which the word is another than that of a manifest's entries: their clusters may be others."""
        old = Word.of(entry for told in before if (entry := of_json(told)).kind != "line")
        meant, said = ({entry.meaning for entry in word.of_stories} for word in (self, old))
        named = {story for entry in (*self.of_stories, *old.of_stories) if entry.meaning in meant ^ said for story in entry.stories}
        return tuple(sorted({mate for story in named for word in (self, old) for mate in word.bundle(story)}))

    @cached_property
    def _same(self) -> dict[str, list[Entry]]:
        found: dict[str, list[Entry]] = {}
        for entry in self.entries:
            for story in entry.stories if entry.kind == "same" else ():
                found.setdefault(story, []).append(entry)
        return found

    @cached_property
    def _bundles(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for story in sorted(self._same):
            if story not in found:
                bundle = tuple(sorted(self._reached(story)))
                found |= dict.fromkeys(bundle, bundle)
        return found

    def _reached(self, story: str) -> dict[str, Entry | None]:
        """The stories that entries join to one, each with the entry over which it was first reached."""
        reached: dict[str, Entry | None] = {story: None}
        waiting = deque([story])
        while waiting:
            for entry in self._same.get(waiting.popleft(), ()):
                for other in entry.stories:
                    if other not in reached:
                        reached[other] = entry
                        waiting.append(other)
        return reached

    @cached_property
    def _apart(self) -> dict[tuple[str, str], str]:
        found: dict[tuple[str, str], str] = {}
        for entry in self.entries:
            if entry.kind == "different":
                found.setdefault(_pair(*(self.group(story) for story in entry.stories)), entry.id)
        return found

    @cached_property
    def _kept(self) -> dict[str, str]:
        return {entry.stories[0]: entry.id for entry in self.entries if entry.kind == "keep"}

    @cached_property
    def _named(self) -> frozenset[str]:
        return frozenset(mate for entry in self.of_stories for story in entry.stories for mate in self.bundle(story))

    def _refuse_contradictions(self) -> None:
        keeps: dict[str, Entry] = {}
        for entry in self.entries:
            if entry.kind == "different" and self.group(entry.stories[0]) == self.group(entry.stories[1]):
                raise OverridesError(f"{entry.id} says that {entry}, but {self._chain(*entry.stories)} makes them one: remove one of them")
            if entry.kind == "keep":
                other = keeps.setdefault(self.group(entry.stories[0]), entry)
                if other is not entry:
                    chain = self._chain(other.stories[0], entry.stories[0])
                    raise OverridesError(f"{other.id} and {entry.id} keep two stories that {chain} makes one: remove one of them")

    def _chain(self, one: str, other: str) -> str:
        reached, names = self._reached(one), []
        while entry := reached[other]:
            names.append(entry.id)
            other = next(story for story in entry.stories if story != other)
        return ", ".join(reversed(names))


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)


def _name(entries: Sequence[Entry]) -> str:
    return hashlib.sha256("\n".join(sorted(entry.meaning for entry in entries)).encode()).hexdigest()[:16] if entries else "none"


# ---- the file -----------------------------------------------------------------------------------------------------------


def load(knobs: settings.Overrides) -> Word:
    """What the file that the settings name says; an empty word without one.

    Raises:
        OverridesError: it cannot be read, an entry is none, or two contradict each other.
    """
    if not knobs.file:
        return Word()
    path = Path(knobs.file)
    entries = read(path)
    try:
        return Word.of(entries)
    except OverridesError as error:
        raise OverridesError(f"overrides: {path}: {error}") from error


def read(path: Path) -> list[Entry]:
    """The entries of a file, in its order.

    Raises:
        OverridesError: it cannot be read, or an entry is none.
    """
    try:
        return _parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OverridesError(f"overrides: {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OverridesError(f"overrides: {path} is not TOML: {error}") from error
    except OverridesError as error:
        raise OverridesError(f"overrides: {path}: {error}") from error


def _parse(text: str) -> list[Entry]:
    told = tomllib.loads(text)
    if unknown := sorted(set(told) - {_TABLE}):
        raise OverridesError(f"{unknown[0]} is unknown; entries are tables [[{_TABLE}]]")
    entries = told.get(_TABLE, [])
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise OverridesError(f"entries are tables [[{_TABLE}]]")
    found = []
    for number, one in enumerate(entries, 1):
        try:
            found.append(of_json(one))
        except OverridesError as error:
            raise OverridesError(f"entry {number}: {error}") from error
    return found


def of_json(told: Mapping[str, Any]) -> Entry:
    """An entry from plain values, as the file and a manifest have them; what else a manifest says of it is passed over.

    Raises:
        OverridesError: it is none.
    """
    kind = told.get("kind")
    if kind not in get_args(Kind):
        raise OverridesError(f"kind = {kind!r} is not allowed: it is one of {', '.join(get_args(Kind))}")
    if unknown := sorted(set(told) - {"kind", *_KEYS[kind], *_NOTES, *_TOLD}):
        raise OverridesError(f"{unknown[0]} is unknown; {kind} has {', '.join((*_KEYS[kind], *_NOTES))}")
    notes = {name: _text(told, name) for name in ("who", "when", "why")}
    if kind == "line":
        line = _text(told, "text")
        if not line or not line.strip() or "\n" in line:
            raise OverridesError("text must be one line that is not blank")
        if not isinstance(told.get("boilerplate"), bool):
            raise OverridesError("boilerplate must be true (the line goes) or false (it stays)")
        return Entry(kind, text=line.strip(), source=_text(told, "source"), boilerplate=told["boilerplate"], **notes)
    stories, raw = told.get("stories"), told.get("raw", [])
    wanted = 1 if kind == "keep" else 2
    if not _are_texts(stories) or len(set(stories)) != wanted or not all(_is_id(story) for story in stories):
        raise OverridesError(
            f"stories must be a list of {wanted} story_id{'s' * (wanted > 1)} (32 hex digits each; `copydesk explain` tells)"
        )
    if not _are_texts(raw) or len(raw) not in (0, wanted):
        raise OverridesError(f"raw must be a list of {wanted}, one for each of stories, or be left out")
    relation = _text(told, "relation")
    if relation not in (None, *get_args(Relation)):
        raise OverridesError(f"relation = {relation!r} is not allowed: it is one of {', '.join(get_args(Relation))}")
    order = sorted(range(wanted), key=lambda i: str(stories[i]))
    return Entry(
        cast("Kind", kind),
        tuple(stories[i] for i in order),
        cast("Relation | None", relation),
        raw=tuple(raw[i] for i in order) if raw else (),
        **notes,
    )


_TOLD = ("id", "matched", "rows", "number", "state", "says")
"""What a manifest and a list say of an entry beside it."""


def _text(told: Mapping[str, Any], name: str) -> str | None:
    value = told.get(name)
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).strftime("%Y-%m-%dT%H:%M:%SZ")
    if value is not None and not isinstance(value, str):
        raise OverridesError(f"{name} = {value!r} must be a text")
    return value


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_id(story: str) -> bool:
    return len(story) == 32 and set(story) <= set("0123456789abcdef")


def add(path: Path, entry: Entry) -> None:
    """Write an entry at the end of a file, which is made if it is missing.

    Raises:
        OverridesError: the entry is there already, or contradicts another; nothing is written.
    """
    before = read(path) if path.exists() else []
    if any(other.meaning == entry.meaning for other in before):
        raise OverridesError(f"overrides: {path} says so already: {entry.id}")
    _refuse(path, [*before, entry])
    text = path.read_text(encoding="utf-8") if path.exists() else _HEAD
    _write(path, _with(text, entry), [*before, entry])


def find(path: Path, wanted: str) -> Entry:
    """The entry of a file with this id, or this number from 1.

    Raises:
        OverridesError: there is none.
    """
    entries = read(path)
    return entries[_places(path, entries, wanted)[0]]


def remove(path: Path, wanted: str) -> Entry:
    """Take an entry out of a file, by its id or its number from 1; all else stays as it is, comments too. Gives the entry.

    Raises:
        OverridesError: there is no such entry, or the file is written in a way that only a person can edit.
    """
    before = read(path)
    places = _places(path, before, wanted)
    text = _without(path.read_text(encoding="utf-8"), len(before), places)
    _write(path, text, [entry for i, entry in enumerate(before) if i not in places])
    return before[places[0]]


def replace(path: Path, wanted: str, entry: Entry) -> None:
    """Take an entry out of a file, and write another at its end.

    Raises:
        OverridesError: as `remove` and `add`; nothing is written.
    """
    before = read(path)
    places = _places(path, before, wanted)
    after = [*(other for i, other in enumerate(before) if i not in places), entry]
    _refuse(path, after)
    _write(path, _with(_without(path.read_text(encoding="utf-8"), len(before), places), entry), after)


def _refuse(path: Path, entries: Sequence[Entry]) -> None:
    try:
        Word.of(entries)
    except OverridesError as error:
        raise OverridesError(f"overrides: {path}: with this entry {error} (`copydesk override remove ID`)") from error


def _places(path: Path, entries: Sequence[Entry], wanted: str) -> list[int]:
    places = [i for i, entry in enumerate(entries) if wanted in (entry.id, str(i + 1))]
    if not places:
        listed = f"it has {len(entries)}; `copydesk override list` shows them" if entries else "it has none"
        raise OverridesError(f"overrides: {path} has no entry {wanted}: {listed}")
    return places


def _with(text: str, entry: Entry) -> str:
    return text + "\n" * (not text.endswith("\n")) + "\n" + _block(entry)


def _without(text: str, entries: int, places: Sequence[int]) -> str:
    """The file without the tables at some places; what stands above the next entry is about that, and stays."""
    lines = text.splitlines(keepends=True)
    heads = [n for n, line in enumerate(lines) if line.strip().replace(" ", "") == f"[[{_TABLE}]]"]
    for place in reversed(places) if len(heads) == entries else ():
        begin, stop = heads[place], heads[place + 1] if place + 1 < len(heads) else len(lines)
        while stop > begin + 1 and (not lines[stop - 1].strip() or lines[stop - 1].lstrip().startswith("#")):
            stop -= 1
        if begin and not lines[begin - 1].strip():
            begin -= 1
        del lines[begin:stop]
    return "".join(lines)


def _write(path: Path, text: str, meant: Sequence[Entry]) -> None:
    """Write the file, whole or not at all, if it says what is meant.

    Raises:
        OverridesError
    """
    try:
        said = _parse(text)
    except (tomllib.TOMLDecodeError, OverridesError):
        said = None
    if said != list(meant):
        raise OverridesError(f"overrides: {path} is written in a way that only a person can edit (inline tables, or long strings): edit it")
    with files.written(path) as stream:
        stream.write(text.encode())


def _block(entry: Entry) -> str:
    lines = [f"[[{_TABLE}]]\n"]
    for name, value in entry.to_json().items():
        written = value if name == "when" else "true" if value is True else "false" if value is False else _quoted(value)
        lines.append(f"{name} = {written}\n")
    return "".join(lines)


def _quoted(value: str | list[str]) -> str:
    """A text or a list of texts in TOML, whose basic strings escape as JSON's do but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


# ---- what a run made of them --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Obeyed:
    """What the entries found in the seen set: ids of those about stories that are all there; by id the rows of decisions that each decided."""

    matched: frozenset[str] = frozenset()
    rows: Mapping[str, int] = field(default_factory=dict)


def told(word: Word, file: str | None, obeyed: Obeyed, lines: Iterable[Mapping[str, int]]) -> dict[str, Any]:
    """What the manifest says: the file, the word's name, each entry with whether it matched and the rows it decided (of a line: the stories
    that have it), and the ids of those that matched nothing.

    Args:
        lines: for each shard what `Lines.count` found.
    """
    with_line: Counter[str] = Counter()
    for found in lines:
        with_line.update(found)
    entries = []
    for entry in word.entries:
        rows = with_line[entry.id] if entry.kind == "line" else obeyed.rows.get(entry.id, 0)
        matched = rows > 0 if entry.kind == "line" else entry.id in obeyed.matched
        entries.append({"id": entry.id, **entry.to_json(), "matched": matched, "rows": rows})
    return {"file": file, "name": word.name, "entries": entries, "unmatched": [one["id"] for one in entries if not one["matched"]]}


def states(entries: Sequence[Entry], manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of a file in its order, as the published snapshot has obeyed them; then those that it obeyed and the file no longer has.

    Each with `id`, `number` (None for the last), `says` in words, `state` (obeyed, matches nothing, not yet run, taken back) and `rows`.
    """
    known = {one["id"]: one for one in manifest.get("overrides", {}).get("entries", ())}
    found = []
    for number, entry in enumerate(entries, 1):
        ran = known.pop(entry.id, None)
        if ran is None or of_json(ran).meaning != entry.meaning:
            state, rows = "not yet run", None
        else:
            state, rows = "obeyed" if ran["matched"] else "matches nothing", ran["rows"]
        found.append({"number": number, "id": entry.id, "state": state, "rows": rows, "says": str(entry), **entry.to_json()})
    for name, ran in known.items():
        entry = of_json(ran)
        found.append({"number": None, "id": name, "state": "taken back", "rows": ran["rows"], "says": str(entry), **entry.to_json()})
    return found
