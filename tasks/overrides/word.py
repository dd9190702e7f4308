"""What entries mean together: bundles of one story, pairs of two, stories that are kept, lines."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from tasks.overrides.entries import Entry, OverridesError, of_json


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

    @cached_property
    def stories(self) -> frozenset[str]:
        """All of which any entry says anything, with their bundles."""
        return frozenset(mate for entry in self.of_stories for story in entry.stories for mate in self.bundle(story))

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
