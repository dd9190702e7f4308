"""What became of a record and why: the answers behind `explain`, `clean` and `rules`. None of it needs the orchestrator."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks import boilerplate, ingest, repair, schema, settings


def explanations(snapshot: Path, wanted: str) -> list[dict[str, Any]]:
    """The decisions on all records of a raw_id (or the one story_id), with the story's columns: one flat dict a record."""
    match = (pc.field("raw_id") == wanted) | (pc.field("story_id") == wanted)
    found = {row["story_id"]: row for row in pq.read_table(snapshot / "decisions", filters=match).to_pylist()}
    for table in ("stories", "duplicates", "quarantine") if found else ():
        for row in pq.read_table(snapshot / table, filters=pc.field("story_id").isin(list(found))).to_pylist():
            found[row["story_id"]] |= {name: value for name, value in row.items() if name not in schema.DECISIONS.names}
    return [found[story_id] for story_id in sorted(found)]


def cleaned(file: Path, knobs: settings.Settings) -> list[dict[str, Any]]:
    """The records of a raw file, in its order, as they come out of ingest, repair and strip.

    Raises:
        ValueError: the file's name says no format that can be read.
    """
    records: list[dict[str, Any]] = clean(read(file, file.absolute().parent, knobs), knobs).to_pylist()
    return records


def read(file: Path, root: Path, knobs: settings.Settings, only: int | None = None) -> pa.Table:
    """The records of a raw file below root, in its order, as ingest leaves them: an INGESTED table.

    Args:
        only: give this one record, if there are so many; from 0.

    Raises:
        ValueError: the file's name says no format that can be read.
    """
    found = ingest.raw_file(file.absolute(), root)
    if found is None:
        raise ValueError(f"{file.name}: not a format that can be read (.txt .html .jsonl .json .csv .parquet .warc, each also .gz or .zst)")
    run = knobs.run
    with TemporaryDirectory() as folder:
        store = Path(folder)
        batch = ingest.read_batch([found], store, store / "ledger", knobs.ingest.max_record_bytes, run.shard_rows, run.shard_bytes)
        names = pq.read_table(batch)["shards"].to_pylist()[0]
        table = pa.concat_tables([pq.read_table(store / name) for name in names])
    stems = table["stem"].to_pylist()  # the file's own stem, with #n but for the only record and the unreadable rest, which is last
    numbers = [int(stem[len(found.stem) + 1 :]) if len(stem) > len(found.stem) else len(stems) for stem in stems]
    order = sorted(range(len(stems)), key=numbers.__getitem__)
    order = [order[only]] if only is not None and only < len(order) else order
    return ingest.parse(table.take(pa.array(order)), knobs.ingest, {found.uri: "present"})


def clean(table: pa.Table, knobs: settings.Settings) -> pa.Table:
    """INGESTED -> STRIPPED."""
    return boilerplate.strip(repair.repair(table, knobs.repair), knobs.strip)


def rule_hits(rules: str | None, snapshot: Path | None) -> list[dict[str, Any]]:
    """The rules in order, each with the lines it took in a snapshot (0 without one)."""
    hits: Counter[str] = Counter()
    if snapshot:
        for table in ("stories", "duplicates"):
            removed = pq.read_table(snapshot / table, columns=["removed"])["removed"]
            for pair in pc.value_counts(pc.struct_field(pc.list_flatten(removed), "rule")).to_pylist():
                hits[pair["values"]] += pair["counts"]
    loaded = boilerplate.load_rules(Path(rules) if rules else None)
    named = [{"rule": rule.id, "why": rule.why, "hits": hits.pop(rule.id, 0)} for rule in loaded]
    return named + [{"rule": name, "why": "", "hits": number} for name, number in hits.most_common()]
