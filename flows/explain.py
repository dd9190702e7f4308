"""What became of a record and why: the answers behind `explain`, `clean` and `rules`. None of it needs the orchestrator."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks import boilerplate, files, ingest, overrides, repair, schema, settings
from tasks.boilerplate import rules as rule_files
from tasks.boilerplate.lines import count_words
from tasks.ingest.decode import declared_charset, decode
from tasks.ingest.html import page_text
from tasks.ingest.parse import paragraphs


def explanations(snapshot: Path, wanted: str) -> list[dict[str, Any]]:
    """The decisions on all records of a raw_id (or the one story_id), with the story's columns: one flat dict a record.

    Of a record on which an editor's entry decided also `editor`: what it says, who said so, when and why.
    """
    match = (pc.field("raw_id") == wanted) | (pc.field("story_id") == wanted)
    found = {row["story_id"]: row for row in files.read_table(snapshot / "decisions", filters=match).to_pylist()}
    for table in ("stories", "duplicates", "quarantine") if found else ():
        for row in files.read_table(snapshot / table, filters=pc.field("story_id").isin(list(found))).to_pylist():
            found[row["story_id"]] |= {name: value for name, value in row.items() if name not in schema.DECISIONS.names}
    if any(row.get("override") for row in found.values()):
        manifest = json.loads((snapshot / "manifest.json").read_text(encoding="utf-8"))
        said = {told["id"]: _said(overrides.of_json(told)) for told in manifest.get("overrides", {}).get("entries", ())}
        for row in found.values():
            row["editor"] = said.get(row["override"])
    return [found[story_id] for story_id in sorted(found)]


def _said(entry: overrides.Entry) -> str:
    by = ", ".join(note for note in (entry.who, entry.when) if note)
    return f"{entry}{f' ({by})' if by else ''}{f': {entry.why}' if entry.why else ''}"


def cleaned(file: Path, knobs: settings.Settings) -> list[dict[str, Any]]:
    """The records of a raw file, in its order, as they come out of ingest, repair and strip.

    Of a page also `left_out`: its lines that ingest did not take for the story, in their order.

    Raises:
        ValueError: the file's name says no format that can be read.
    """
    stored, uri = _stored(file, file.absolute().parent, knobs)
    read = ingest.parse(stored, knobs.ingest, {uri: "present"})
    records: list[dict[str, Any]] = clean(read, knobs).to_pylist()
    for record, store, story in zip(records, stored.to_pylist(), read["text"].to_pylist(), strict=True):
        if store["form"] == "html" and not record["reason"]:
            data = store["record"]
            page = page_text(decode(data, store["charset"], declared_charset(data)))
            record["left_out"] = _left_out(paragraphs(page).split("\n"), story.split("\n"))
    return records


def _left_out(page: list[str], story: list[str]) -> list[str]:
    """Lines of a page without those of its story; a line that is part of a story's line, or has one in it, is not left out."""
    return [line for line in page if not any(line in taken or taken in line for taken in story)]


def read(file: Path, root: Path, knobs: settings.Settings, only: int | None = None) -> pa.Table:
    """The records of a raw file below root, in its order, as ingest leaves them: an INGESTED table.

    Args:
        only: give this one record, if there are so many; from 0.

    Raises:
        ValueError: the file's name says no format that can be read.
    """
    stored, uri = _stored(file, root, knobs, only)
    return ingest.parse(stored, knobs.ingest, {uri: "present"})


def _stored(file: Path, root: Path, knobs: settings.Settings, only: int | None = None) -> tuple[pa.Table, str]:
    """The records as ingest keeps them, a STORE table, and the file's raw_uri."""
    found = ingest.raw_file(file.absolute(), root)
    if found is None:
        raise ValueError(f"{file.name}: not a format that can be read (.txt .html .jsonl .json .csv .parquet .warc, each also .gz or .zst)")
    run = knobs.run
    with TemporaryDirectory() as folder:
        store = Path(folder)
        batch = ingest.read_batch([found], store, store / "ledger", knobs.ingest.max_record_bytes, run.shard_rows, run.shard_bytes)
        names = files.read_table(batch)["shards"].to_pylist()[0]
        table = pa.concat_tables([files.read_table(store / name) for name in names])
    stems = table["stem"].to_pylist()  # the file's own stem, with #n but for the only record and the unreadable rest, which is last
    numbers = [int(stem[len(found.stem) + 1 :]) if len(stem) > len(found.stem) else len(stems) for stem in stems]
    order = sorted(range(len(stems)), key=numbers.__getitem__)
    order = [order[only]] if only is not None and only < len(order) else order
    return table.take(pa.array(order)), found.uri


def clean(table: pa.Table, knobs: settings.Settings) -> pa.Table:
    """INGESTED -> STRIPPED."""
    return boilerplate.strip(repair.repair(table, knobs.repair), knobs.strip, overrides.load(knobs.overrides).lines)


def rule_hits(rules: str | None, snapshot: Path | None) -> list[dict[str, Any]]:
    """The rules in order, each with the lines it took in a snapshot (0 without one) and one of them; then what no rule took.

    Raises:
        RulesError: the rules file cannot be used.
    """
    hits: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for table in ("stories", "duplicates") if snapshot else ():
        for part in files.inside(snapshot / table, ".parquet") if snapshot else ():
            removed = pc.list_flatten(files.read_table(part, ["removed"])["removed"]).combine_chunks()
            names, lines = pc.struct_field(removed, "rule").to_pylist(), pc.struct_field(removed, "text")
            hits.update(names)
            for name in set(names) - set(examples):
                examples[name] = lines[names.index(name)].as_py()
    loaded = boilerplate.load_rules(Path(rules) if rules else None)
    named = [
        {"rule": rule.id, "kind": rule.kind, "zone": rule.zone, "languages": list(rule.languages), "why": rule.why}
        | {"hits": hits.pop(rule.id, 0), "example": examples.get(rule.id)}
        for rule in loaded
    ]
    blank: dict[str, Any] = {"kind": None, "zone": None, "languages": [], "why": ""}
    return named + [{"rule": name} | blank | {"hits": number, "example": examples[name]} for name, number in hits.most_common()]


EXAMPLES = 5  # lines that are shown of a rule or a source
LOSS = 0.02  # a story that loses a larger share of its words is worth a look


def rule_trial(file: Path, knobs: settings.Settings, tables: Iterable[pa.Table]) -> dict[str, Any]:
    """What a rules file would change if the settings named it in `strip.rules`.

    Args:
        file: the rules to try.
        knobs: the settings to compare with.
        tables: REPAIRED stories, as `repaired_snapshot` or `repaired_raw` read them.

    Returns:
        examples: lines of its `strips` that a rule does not take, and of its `keeps` that it does; stories: read; changed: of those, stories with another text; removed, returned: lines that go only with the new rules, or stay
        only with them; rules, sources: what is removed by rule and by source, most first, with examples; losers: stories that lose
        more than LOSS of their words, most first; empty: ids of stories of which nothing would be left.

    Raises:
        RulesError: the rules file cannot be used.
    """
    own, disabled = rule_files.read_rules(file)
    rule_files.load_rules(file)
    matcher = rule_files.compile_rules(own)
    tried, lines = knobs.strip.model_copy(update={"rules": str(file)}), overrides.load(knobs.overrides).lines
    stories = changed = returned = 0
    by_rule: dict[str, list[tuple[str, str]]] = {rule.id: [] for rule in own}
    by_source: dict[str, list[tuple[str, str]]] = {}
    read_of: Counter[str] = Counter()
    losers, empty = [], []
    for whole in tables:
        stories += whole.num_rows
        read_of.update(source or "unknown" for source in whole["source"].to_pylist())
        table = whole if disabled or knobs.strip.rules else _touched(whole, matcher)
        before, after = (boilerplate.strip(table, one, lines).to_pylist() for one in (knobs.strip, tried))
        for old, new in zip(before, after, strict=True):
            gone = {line["line"] for line in old["removed"]}
            taken = [line for line in new["removed"] if line["line"] not in gone]
            returned += len(gone - {line["line"] for line in new["removed"]})
            changed += old["text"] != new["text"]
            if new["reason"] and not old["reason"]:
                empty.append(new["raw_id"])
            for line in taken:
                by_rule.setdefault(line["rule"], []).append((new["raw_id"], line["text"]))
                by_source.setdefault(new["source"] or "unknown", []).append((new["raw_id"], line["text"]))
            lost = sum(count_words(line["text"]) for line in taken) / max(1, old["word_count"])
            if lost > LOSS:
                losers.append(
                    {"raw_id": new["raw_id"], "source": new["source"], "lost": round(lost, 4), "lines": [line["text"] for line in taken]}
                )
    return {
        "file": str(file),
        "examples": [one for rule in own for one in _wrong_examples(rule)],
        "disabled": list(disabled),
        "stories": stories,
        "changed": changed,
        "removed": sum(map(len, by_rule.values())),
        "returned": returned,
        "rules": [{"rule": name} | _summary(found) for name, found in _most(by_rule)],
        "sources": [{"source": name, "read": read_of[name]} | _summary(found) for name, found in _most(by_source)],
        "losers": sorted(losers, key=lambda one: (-one["lost"], one["raw_id"])),
        "empty": sorted(empty),
    }


def repaired_snapshot(snapshot: Path) -> Iterator[pa.Table]:
    """The stories and duplicates of a snapshot before strip took lines from them, as REPAIRED tables, one a file."""
    columns = ["story_id", "raw_id", "raw_uri", "source", "title", "text", "removed"]
    for name in ("stories", "duplicates"):
        for part in files.inside(snapshot / name, ".parquet"):
            rows = []
            for row in files.read_table(part, columns).to_pylist():
                removed = row.pop("removed")
                lifted = any(line["rule"] == "headline" for line in removed)
                text = boilerplate.rebuild(row["text"], removed)
                rows.append(_BLANK | row | {"text": text, "title": None if lifted else row["title"]})
            yield schema.conform(pa.Table.from_pylist(rows, schema.REPAIRED), schema.REPAIRED)


def repaired_raw(raw: Path, knobs: settings.Settings) -> Iterator[pa.Table]:
    """The records of all raw files below a folder as REPAIRED tables, one a file."""
    for file in sorted(path for path in raw.rglob("*") if path.is_file()):
        if ingest.raw_file(file.absolute(), raw.absolute()) is not None:
            yield repair.repair(read(file, raw.absolute(), knobs), knobs.repair)


_BLANK: dict[str, Any] = dict.fromkeys(schema.REPAIRED.names) | {
    "raw_state": "present",
    "place": "file",
    "kind": "record",
    "repairs": [],
}


def _wrong_examples(rule: rule_files.Rule) -> Iterator[dict[str, str]]:
    matcher = rule_files.compile_rules((rule,))
    for should, lines in (("strip", rule.strips), ("keep", rule.keeps)):
        for line, hit in zip(lines, matcher.match_all(lines), strict=True):
            if (hit is None) == (should == "strip"):
                yield {"rule": rule.id, "line": line, "should": should}


def _touched(table: pa.Table, matcher: rule_files.Matcher) -> pa.Table:
    """The stories with a line that the new rules match: no other can change."""
    texts = [(text or "").split("\n") for text in table["text"].to_pylist()]
    hits = iter(matcher.match_all([line for lines in texts for line in lines]))
    return table.filter(pa.array([sum(next(hits) is not None for _ in lines) > 0 for lines in texts], pa.bool_()))


def _most(found: dict[str, list[tuple[str, str]]]) -> list[tuple[str, list[tuple[str, str]]]]:
    return sorted(found.items(), key=lambda one: (-len(one[1]), one[0]))


def _summary(found: list[tuple[str, str]]) -> dict[str, Any]:
    lines = Counter(line for _, line in found)
    return {
        "lines": len(found),
        "stories": len({raw_id for raw_id, _ in found}),
        "examples": [{"text": line, "times": times} for line, times in lines.most_common(EXAMPLES)],
    }
