"""A hold: what was rolled back is not published again until somebody says so.

A run after a rollback works on the same raw files by the same recipe, so left alone it would publish the bad snapshot again, or one that
has the same fault and some more stories. Nobody knows what the fault was but who rolled it back. What is known is what the bad
snapshot brought: the raw files that it had in other bytes than the good one, or had or lacked alone, and its recipe and its overrides if
these were others. Whatever has one of these again is held, and whatever has none of them is not.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks import files
from tasks.snapshots.published import content, read_ledger, read_manifest

SHOWN = 3  # names of raw files in a sentence


@dataclass(frozen=True)
class Hold:
    """curated/hold.json.

    bad: snapshots that were rolled back, each with `snapshot` (name), `content` (see content), `recipe` (hash) and `overrides` (name).
    to: name of the snapshot that was published instead. by, at, why: who did it, when, and the reason given.
    """

    bad: tuple[dict[str, str], ...]
    to: str
    by: str
    at: str
    why: str | None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(bad["snapshot"] for bad in self.bad)

    def __str__(self) -> str:
        return f"{', '.join(self.names)}, rolled back by {self.by} at {self.at}{f': {self.why}' if self.why else ''}"


def read_hold(curated: Path) -> Hold | None:
    """The hold, if one is set.

    Raises:
        OSError: there is one that cannot be read.
    """
    path = curated / "hold.json"
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return Hold(tuple(told["bad"]), told["to"], told["by"], told["at"], told["why"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise OSError(
            errno.EINVAL, f"is no hold as `copydesk rollback` writes it ({error}); `copydesk rollback --release` removes it", str(path)
        ) from error


def set_hold(curated: Path, bad: Path, to: Path, by: str, at: str, why: str | None) -> Hold:
    """Hold a snapshot, and those that were held already, in favour of another one."""
    before = read_hold(curated)
    manifest = read_manifest(bad)
    held = {"snapshot": bad.name, "content": content(manifest["files"]), "recipe": manifest["recipe"]["hash"]}
    held["overrides"] = _word(manifest)
    others = tuple(one for one in before.bad if one["snapshot"] != bad.name) if before else ()
    hold = Hold((*others, held), to.name, by, at, why)
    with files.written(curated / "hold.json") as stream:
        stream.write(json.dumps(asdict(hold), indent=1, ensure_ascii=False).encode())
    return hold


def release(curated: Path) -> bool:
    """Remove the hold; tells whether there was one."""
    path = curated / "hold.json"
    there = path.exists()
    path.unlink(missing_ok=True)
    return there


def repeated(curated: Path, hold: Hold, manifest: Mapping[str, Any], inputs: pa.Table) -> list[str]:
    """What a new snapshot has again of what was held, in words; empty when it may be published.

    Args:
        manifest, inputs: of the new one.
    """
    if content(manifest["files"]) in {bad["content"] for bad in hold.bad}:
        return ["all of it: the same stories by the same recipe"]
    try:
        good = curated / "snapshots" / hold.to
        told, before = read_manifest(good), _rows(read_ledger(good))
        recipe, word = told["recipe"]["hash"], _word(told)
        found = []
        for bad in hold.bad:
            if manifest["recipe"]["hash"] == bad["recipe"] != recipe:
                found.append(f"the recipe {bad['recipe']}")
            if _word(manifest) == bad.get("overrides", "none") != word:
                found.append(f"the overrides {_word(manifest)}")
            found += _files_again(before, _rows(read_ledger(curated / "snapshots" / bad["snapshot"])), _rows(inputs))
    except (FileNotFoundError, ValueError) as error:
        return [f"what cannot be told: {error}"]
    return list(dict.fromkeys(found))


def _word(manifest: Mapping[str, Any]) -> str:
    """The name of what editors said; `none` in snapshots from before they could."""
    return str(manifest["recipe"].get("overrides", "none"))


def _rows(ledger: pa.Table) -> pa.Table:
    """raw_uri, and `row`: with what was read there."""
    uri = ledger["raw_uri"].cast(pa.large_string())
    parts = [uri, pc.fill_null(ledger["file_sha256"], "").cast(pa.large_string()), ledger["records"].cast(pa.large_string())]
    return pa.table({"raw_uri": uri, "row": pc.binary_join_element_wise(*parts, pa.scalar("\0", pa.large_string()))})


def _files_again(good: pa.Table, bad: pa.Table, new: pa.Table) -> list[str]:
    brought = _without(bad, good, "row")
    left_out = _without(good, bad, "raw_uri")
    again = brought.filter(pc.is_in(brought["row"], value_set=new["row"].combine_chunks()))["raw_uri"].to_pylist()
    again_out = _without(left_out, new, "raw_uri")["raw_uri"].to_pylist()
    return [f"{what} {_some(uris)}" for what, uris in (("raw files it brought:", again), ("raw files it left out:", again_out)) if uris]


def _without(rows: pa.Table, others: pa.Table, column: str) -> pa.Table:
    return rows.filter(pc.invert(pc.is_in(rows[column], value_set=others[column].combine_chunks())))


def _some(uris: list[str]) -> str:
    shown = ", ".join(sorted(uris)[:SHOWN])
    return f"{shown} and {len(uris) - SHOWN:,} more" if len(uris) > SHOWN else shown
