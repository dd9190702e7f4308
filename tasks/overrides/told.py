"""What a run made of the entries: for the manifest, and for who asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.overrides.entries import Entry, of_json
from tasks.overrides.word import Word


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
