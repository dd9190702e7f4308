"""The dataset card of a snapshot: README.md in the form that Hugging Face's hub and `datasets` read.

Its head tells `load_dataset` which files make which table. What comes from the stories (names of sources) stands in code spans, with nothing in
it that could end them, and the head holds none of it but codes of languages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks import files
from tasks.schema import COLUMNS, TABLES

TOLD = {
    "stories": "one row for each story worth keeping",
    "duplicates": "the cleaned text of every record that a kept story stands for",
    "quarantine": "records that could not be curated, with what text there is",
    "decisions": "one row for every record: its outcome, the reason, scores, evidence",
    "inputs": "the raw files that were read",
    "changes": "what is new in `stories` since the parent snapshot",
}
SHOWN = 10  # sources and languages
LONGEST = 60  # code points of a source
_LANGUAGE = re.compile(r"[a-z]{2,3}\b")
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"), (10**8, "10M<n<100M"))
_LARGEST = "100M<n<1B"


def write(snapshot: Path, manifest: Mapping[str, Any]) -> Path:
    """Write README.md into a snapshot whose tables are there and whose manifest has its counts."""
    knobs = manifest.get("settings", {}).get("publish", {})
    rows = files.dataset(files.inside(snapshot / "stories", ".parquet")).to_table(["source", "language", "published_at"])
    by_source, by_language = (_counted(rows[name]) for name in ("source", "language"))
    title, licence = knobs.get("title") or "Curated news stories", knobs.get("license")
    page = [
        *_head(title, licence, [language for language, _ in by_language], len(rows), manifest["snapshot"]),
        f"# {title}\n",
        _summary(manifest, rows),
        "Each story stands in `stories` once. The records it stands for are in `duplicates`, and what could not be curated is in `quarantine`; `decisions` has "
        "a row for every record with the reason and the evidence, so nothing is lost.\n",
        *_tables(manifest),
        *_reading(),
        *_top("sources", "the outlet", by_source),
        *_top("languages", "detected in the text, or as the record tells", by_language),
        *_columns(),
        *_making(manifest),
        *_limits(licence),
    ]
    path = snapshot / "README.md"
    path.write_text("\n".join(page), encoding="utf-8")
    return path


def _head(title: str, licence: str | None, languages: Sequence[str | None], stories: int, snapshot: str) -> Iterator[str]:
    """The YAML in front. All strings are written as JSON, which is YAML too.

    Each table's description names the snapshot, because `datasets` keeps what it has loaded once from a folder of one name until its head is another:
    without it whoever loads curated/latest every hour gets the first hour's stories for ever (datasets 5.2).
    """
    codes = sorted({found[0] for language in languages if language and (found := _LANGUAGE.match(language.lower()))})
    yield f"---\npretty_name: {json.dumps(title)}"
    if licence:
        yield f"license: {json.dumps(licence)}"
    if codes:
        yield "language:\n" + "\n".join(f"- {json.dumps(code)}" for code in codes)
    size = next((name for bound, name in _SIZES if stories < bound), _LARGEST)
    yield f"size_categories:\n- {json.dumps(size)}\ntags:\n- news\n- deduplicated\nconfigs:"
    for name in TABLES:
        described = json.dumps(f"{TOLD[name]}; snapshot {snapshot}")
        yield f"- config_name: {name}\n  data_files: {name}/*.parquet\n  description: {described}" + "\n  default: true" * (
            name == "stories"
        )
    yield "---\n"


def _summary(manifest: Mapping[str, Any], rows: pa.Table) -> str:
    counts, dates = manifest["counts"], pc.min_max(rows["published_at"]).as_py()
    since = f", published {dates['min']:%-d %B %Y} to {dates['max']:%-d %B %Y}" if dates["min"] else ""
    unknown = rows["published_at"].null_count
    undated = f" ({unknown:,} of unknown date)" if since and unknown else ""
    return (
        f"{counts['kept']:,} news stories{since}{undated}: what is left of {counts['records']:,} raw records in {counts['files']:,} files after their encoding was "
        "repaired, boilerplate taken off, and copies and rewrites of one story brought together.\n"
    )


def _tables(manifest: Mapping[str, Any]) -> Iterator[str]:
    counts: dict[str, int] = dict.fromkeys(TABLES, 0)
    for entry in (*manifest["files"], *manifest.get("changes", {}).get("files", ())):
        counts[entry["path"].partition("/")[0]] += entry["rows"]
    yield "| table | rows | what it is |\n|---|--:|---|"
    yield from (f"| `{name}` | {counts[name]:,} | {TOLD[name]} |" for name in TABLES)
    yield ""


def _reading() -> Iterator[str]:
    yield "## Read it\n"
    yield "Any reader of Parquet does; the tables are the folders beside this page.\n"
    yield '```python\nimport pandas as pd\n\nstories = pd.read_parquet("stories")\n```\n'
    yield '```python\nfrom datasets import load_dataset\n\nstories = load_dataset(".", split="train")  # or a table: load_dataset(".", "decisions")\n```\n'


def _top(what: str, meaning: str, counted: Sequence[tuple[str | None, int]]) -> Iterator[str]:
    yield f"## {what.capitalize()}\n\n{len(counted):,} of them ({meaning})" + (f"; the first {SHOWN}:\n" if len(counted) > SHOWN else ":\n")
    yield f"| {what[:-1]} | stories |\n|---|--:|"
    yield from (f"| {_code(value) if value is not None else 'unknown'} | {number:,} |" for value, number in counted[:SHOWN])
    yield ""


def _columns() -> Iterator[str]:
    yield "## Columns\n\nThe same travels in the metadata of the Parquet fields.\n"
    for name, table in TABLES.items():
        if name == "duplicates":
            yield "### `duplicates`\n\nThose of `stories`.\n"
            continue
        yield f"### `{name}`\n\n| column | type | meaning | null |\n|---|---|---|---|"
        for column in (COLUMNS[one] for one in table.names):
            kind = str(column.type).replace(" not null", "").replace("element: ", "")
            unit = f" ({column.unit})" if column.unit else ""
            yield f"| `{column.name}` | `{kind}` | {_prose(column.description + unit)} | {_prose(column.null)} |"
        yield ""


def _making(manifest: Mapping[str, Any]) -> Iterator[str]:
    spelled, counts = manifest["recipe"]["spelled"], manifest["counts"]
    yield "## How it was made\n"
    yield f"By copydesk {manifest['copydesk']}, snapshot `{manifest['snapshot']}`, recipe `{manifest['recipe']['hash']}`. The same raw records and the same recipe"
    yield "(settings, rules, models, versions) give the same files, byte for byte; `manifest.json` spells it out.\n"
    yield "| | records |\n|---|--:|"
    yield f"| read | {counts['records']:,} |"
    for stage, reasons in counts["quarantined"].items():
        yield from (
            f"| quarantined by {stage}: {_prose(str(reason)).replace('_', ' ')} | {number:,} |" for reason, number in reasons.items()
        )
    yield from (f"| {relation} duplicates | {number:,} |" for relation, number in counts["duplicates"].items())
    yield f"| stories kept | {counts['kept']:,} |\n"
    if told := manifest.get("changes"):
        since = f"Since the parent snapshot `{told['parent']}`" if told["parent"] else "There is no parent snapshot to compare with, so"
        numbers = ", ".join(f"{told[kind]:,} {kind}" for kind in ("added", "changed", "removed", "rekeyed"))
        yield f"{since}{':' if told['parent'] else ''} {numbers}.\n"
    yield "Versions: " + ", ".join(f"{name} {number}" for name, number in spelled.get("libraries", {}).items()) + ".\n"


def _limits(licence: str | None) -> Iterator[str]:
    yield "## Known limits\n"
    yield "- No person looked at each story: what is a duplicate, a rewrite or boilerplate was judged by rules and models. `decisions` has the probability and the"
    yield "  shared passages, `removed` every line that went, `repairs` every edit, so that all of it can be checked and undone."
    yield "- Two independent reports of one event are two stories, even with the same quotes; a heavy rewrite that keeps few facts and names can pass as one of its own."
    yield "- `published_at` is what the record or its text tells. A bare date is that day's 00:00 UTC (`published_precision` is `day`)."
    yield "- Null means unknown, in `source`, `language` and `published_at` too."
    if not licence:
        yield "- No licence is stated: the stories are their publishers'. Whoever passes them on needs the right to do so."
    yield ""


def _counted(column: pa.ChunkedArray[Any]) -> list[tuple[str | None, int]]:
    """The values with their numbers, most frequent first."""
    counted = pa.table({"value": column}).group_by("value").aggregate([([], "count_all")])
    counted = counted.sort_by([("count_all", "descending"), ("value", "ascending")])
    return list(zip(counted["value"].to_pylist(), counted["count_all"].to_pylist(), strict=True))


def _code(text: str) -> str:
    """Text of others as a code span of one line, whatever it holds."""
    plain = " ".join("".join(sign if sign.isprintable() else " " for sign in text).replace("`", "'").split()) or "?"
    short = plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1]}\u2026"
    return f"`{short.replace(chr(92), '/').replace('|', '/')}`"


def _prose(text: str) -> str:
    """Our own words in a cell."""
    return text.replace("|", "/").replace("<", "&lt;")
