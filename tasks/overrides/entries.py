"""One entry: what may be said, and how it is read from plain values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal, cast, get_args

from tasks.settings import SettingsError

Kind = Literal["same", "different", "keep", "line"]
Relation = Literal["near", "derivative"]
KEYS: dict[str, tuple[str, ...]] = {
    "same": ("stories", "relation"),
    "different": ("stories",),
    "keep": ("stories",),
    "line": ("text", "source", "boilerplate"),
}
NOTES = ("raw", "who", "when", "why")
TOLD = ("id", "matched", "rows", "number", "state", "says")
"""What a manifest and a list say of an entry beside it."""


class OverridesError(SettingsError):
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
        told: dict[str, Any] = {"kind": self.kind, "stories": list(self.stories), "raw": list(self.raw), "relation": self.relation}
        if self.kind == "line":
            told = {"kind": self.kind, "text": self.text, "source": self.source, "boilerplate": self.boilerplate}
        told |= {"who": self.who, "when": self.when, "why": self.why}
        return {name: value for name, value in told.items() if value not in (None, [])}


def of_json(told: Mapping[str, Any]) -> Entry:
    """An entry from plain values, as the file and a manifest have them; what else a manifest says of it is passed over.

    Raises:
        OverridesError: it is none.
    """
    kind: Any = told.get("kind")
    if kind not in get_args(Kind):
        raise OverridesError(f"kind = {kind!r} is not allowed: it is one of {', '.join(get_args(Kind))}")
    if unknown := sorted(set(told) - {"kind", *KEYS[kind], *NOTES, *TOLD}):
        raise OverridesError(f"{unknown[0]} is unknown; {kind} has {', '.join((*KEYS[kind], *NOTES))}")
    notes: dict[str, Any] = {name: _text(told, name) for name in ("who", "when", "why")}
    if kind == "line":
        line = _text(told, "text")
        if not line or not line.strip() or "\n" in line:
            raise OverridesError("text must be one line that is not blank")
        if not isinstance(told.get("boilerplate"), bool):
            raise OverridesError("boilerplate must be true (the line goes) or false (it stays)")
        return Entry(kind, text=line.strip(), source=_text(told, "source"), boilerplate=told["boilerplate"], **notes)
    stories: Any = told.get("stories")
    raw: Any = told.get("raw", [])
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
        kind,
        tuple(stories[i] for i in order),
        cast("Relation | None", relation),
        raw=tuple(raw[i] for i in order) if raw else (),
        **notes,
    )


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
