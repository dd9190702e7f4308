"""gate: the run suite on the aggregates of a snapshot that is ready to be published."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks import files as storage
from tasks import schema, settings, terms
from tasks.validate import engine
from tasks.validate.measures import AGGREGATE_COLUMNS
from tasks.validate.rows import Counts
from tasks.validate.suites import Rule, Suite

# Expectations of the row suite whose failures are what strip and repair left behind.
BOILERPLATE = "text_has_no_boilerplate_lines"
MOJIBAKE = "text_has_no_mojibake"

OUTCOMES = ("kept", "duplicate", "quarantined")

Number = TypeVar("Number", np.uint64, np.int8)
Digests = npt.NDArray[np.uint64]
Status = Literal["passed", "failed", "warned", "accepted", "not compared"]


@dataclass(frozen=True)
class Aggregates:
    """A snapshot in numbers, all counts, so that rates can be formed over all records or over the new ones alone.

    A record is new when the parent snapshot holds no decision on it by the same recipe: on a first run, and after a changed
    recipe, all are. The numbers stand in manifest.json, where the next run finds its parent's.
    """

    seen: int  # records of the seen set
    decisions: int
    kept: int
    duplicates: int
    quarantined: int
    conservation_gap: int  # records that are not exactly once where their decision says
    duplicate_ids: int  # decisions beyond the first on one story_id
    dangling_duplicates: int  # duplicates of a record that is not kept
    stray_clusters: int  # kept rows outside a cluster of their own name, duplicates outside the cluster of their kept story
    copies_gap: int  # records that the kept stories' `copies` do not count, or count too often
    largest_cluster: int  # records in the largest cluster
    checked: int  # healthy records that check looked at
    characters: int  # code points of their cleaned texts
    characters_removed: int  # code points that strip took from them
    boilerplate_checked: int
    boilerplate_left: int  # texts with a line of boilerplate left
    mojibake_checked: int
    mojibake_left: int  # texts with mojibake left
    new_stories: int
    new_duplicates: int
    new_quarantined: int
    new_characters: int
    new_characters_removed: int
    new_boilerplate_checked: int
    new_boilerplate_left: int
    new_mojibake_checked: int
    new_mojibake_left: int

    def to_json(self) -> dict[str, int]:
        return asdict(self)

    @classmethod
    def from_json(cls, written: Mapping[str, int]) -> Aggregates:
        """The aggregates of a manifest; numbers that an older version did not write are 0, those of a newer one are ignored."""
        return cls(**{number.name: int(written.get(number.name, 0)) for number in fields(cls)})


@dataclass(frozen=True)
class Result:
    """One rule of the run suite. observed is null when there was nothing to compare; limit is in words, e.g. 'at most 0.05'."""

    name: str
    severity: str
    status: Status
    observed: float | None
    limit: str
    message: str


@dataclass(frozen=True)
class Verdict:
    """passed: the snapshot may be published, perhaps because what failed was accepted; results in suite order."""

    passed: bool
    results: tuple[Result, ...]

    def messages(self, *statuses: Status) -> tuple[str, ...]:
        """Messages of the results with one of the statuses, by default those that an operator should see."""
        wanted = statuses or ("failed", "accepted", "warned")
        return tuple(result.message for result in self.results if result.status in wanted)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def aggregates(
    snapshot: Mapping[str, Sequence[Path | str]],
    *,
    seen: int,
    checks: Counts,
    new_checks: Counts | None = None,
    parent_decisions: Sequence[Path | str] = (),
) -> Aggregates:
    """The numbers of a written snapshot, read back from its Parquet files: what is published is what is judged.

    Columns of ids alone are read, a file at a time, and kept as 64-bit digests (`kernels.digests`): some 30 bytes a record are held.

    Args:
        snapshot: the files of `stories`, `duplicates`, `quarantine` and `decisions`.
        seen: records of the seen set, counted without the decisions (from the ledger or the shards).
        checks: the sum of all shards' counts.
        new_checks: the sum over the shards that the parent snapshot did not have; None when all are new.
        parent_decisions: decision files of the parent snapshot, none on a first run. Names of files end in their content's
            hash: those that both snapshots have are the same and not read to tell what is new.
    """
    from tasks.kernels.digests import distinct, within

    decided = _decided(snapshot["decisions"])
    by_outcome = [np.sort(decided.ids[decided.outcomes == code]) for code in range(len(OUTCOMES))]
    gap = abs(seen - len(decided.ids))
    for table, ids in zip(("stories", "duplicates", "quarantine"), by_outcome, strict=True):
        gap += _misplaced(_digests(snapshot[table], "story_id"), ids)
    new = _new(snapshot["decisions"], parent_decisions) if parent_decisions else decided.outcomes
    kept, duplicates, quarantined = (len(ids) for ids in by_outcome)
    copies = sum(pc.sum(rows["copies"]).as_py() or 0 for rows in _read(snapshot["stories"], ["copies"]))
    fresh = checks if new_checks is None else new_checks
    return Aggregates(
        seen=seen,
        decisions=len(decided.ids),
        kept=kept,
        duplicates=duplicates,
        quarantined=quarantined,
        conservation_gap=gap,
        duplicate_ids=len(decided.ids) - len(distinct(decided.ids)[0]),
        dangling_duplicates=duplicates - int(within(decided.repeated, by_outcome[0]).sum()),
        stray_clusters=decided.stray,
        copies_gap=abs(copies - kept - duplicates),
        largest_cluster=int(distinct(decided.clusters)[1].max(initial=0)),
        checked=checks.rows,
        characters=checks.characters,
        characters_removed=checks.removed,
        **_residue("boilerplate", BOILERPLATE, checks, fresh),
        **_residue("mojibake", MOJIBAKE, checks, fresh),
        new_stories=len(new),
        new_duplicates=_count(new, "duplicate"),
        new_quarantined=_count(new, "quarantined"),
        new_characters=fresh.characters,
        new_characters_removed=fresh.removed,
    )


def gate(
    aggregates: Aggregates,
    parent: Aggregates | None,
    suite: Suite,
    knobs: settings.Gate,
    accepted: Collection[str] = frozenset(),
) -> Verdict:
    """Judges a snapshot by the run suite: a failed critical rule that is not accepted refuses it.

    Rules on a `..._change` compare with the parent snapshot, and only when more than `rates_from` stories are new: they are
    "not compared" otherwise. So a first run can fail on structure alone; its plain rates only warn.

    Raises:
        ValueError: `accepted` names a rule that the suite does not have.
        ExpectationRaisedError: a rule could not be evaluated.
    """
    if unknown := sorted(set(accepted) - set(suite.names)):
        raise ValueError(f"--accept {', '.join(unknown)}: there is no such rule; rules are {', '.join(suite.names)}")
    observed = observations(aggregates, parent, knobs)
    frame = pa.table({name: pa.array([value], pa.float64()) for name, value in observed.items()}).to_pandas()
    found = engine.evaluated(frame, suite, places_of=())
    why_not = _not_compared(aggregates, parent, knobs)
    results = tuple(_result(rule, observed[rule.column], found[rule.name], rule.name in accepted, why_not) for rule in suite.rules)
    return Verdict(all(result.status != "failed" for result in results), results)


def observations(now: Aggregates, parent: Aggregates | None, knobs: settings.Gate) -> dict[str, float | None]:
    """The value of each of AGGREGATE_COLUMNS: null where a rate has nothing to be of, or is not to be compared."""
    values: dict[str, float | None] = {
        name: getattr(now, name)
        for name in (
            *("conservation_gap", "duplicate_ids", "dangling_duplicates", "stray_clusters", "copies_gap"),
            *("kept", "new_stories", "largest_cluster"),
        )
    }
    values |= _rates(now)
    base = _rates(parent) if parent is not None and now.new_stories > knobs.rates_from else {}
    fresh = _rates_of_new(now)
    for name in fresh:
        values[f"{name}_change"] = _less(fresh[name], base.get(name))
    values["largest_cluster_share_change"] = _less(values["largest_cluster_share"], base.get("largest_cluster_share"))
    values["kept_change"] = _less(_over(now.kept, parent.kept), 1.0) if base and parent is not None else None
    return {name: values[name] for name in AGGREGATE_COLUMNS}


def _rates(of: Aggregates) -> dict[str, float | None]:
    return {
        "largest_cluster_share": _over(of.largest_cluster, of.kept + of.duplicates),
        "quarantine_rate": _over(of.quarantined, of.decisions),
        "duplicate_rate": _over(of.duplicates, of.kept + of.duplicates),
        "removal_rate": _over(of.characters_removed, of.characters + of.characters_removed),
        "boilerplate_residue": _over(of.boilerplate_left, of.boilerplate_checked),
        "mojibake_residue": _over(of.mojibake_left, of.mojibake_checked),
    }


def _rates_of_new(of: Aggregates) -> dict[str, float | None]:
    """The same rates over the new records: in the whole of a large dataset, one bad hour would drown."""
    return {
        "quarantine_rate": _over(of.new_quarantined, of.new_stories),
        "duplicate_rate": _over(of.new_duplicates, of.new_stories - of.new_quarantined),
        "removal_rate": _over(of.new_characters_removed, of.new_characters + of.new_characters_removed),
        "boilerplate_residue": _over(of.new_boilerplate_left, of.new_boilerplate_checked),
        "mojibake_residue": _over(of.new_mojibake_left, of.new_mojibake_checked),
    }


def _over(part: int, whole: int) -> float | None:
    return part / whole if whole > 0 else None


def _less(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other


def _not_compared(now: Aggregates, parent: Aggregates | None, knobs: settings.Gate) -> str:
    if parent is None:
        return "there is no parent snapshot to compare with"
    if now.new_stories <= knobs.rates_from:
        return f"{now.new_stories:,} stories are new; rates are compared above {knobs.rates_from:,} (gate.rates_from)"
    return "there is nothing to form it from"


def _result(rule: Rule, observed: float | None, outcome: engine.Outcome, accepted: bool, why_not: str) -> Result:
    limit = _limit(rule)
    if not outcome.evaluated:
        why = why_not if rule.column.endswith("_change") else "there is nothing to form it from"
        return Result(rule.name, rule.severity, "not compared", None, limit, f"{rule.name}: not compared: {why}.")
    found = f"{rule.name}: {rule.column} is {_number(observed)}"
    if not outcome.failed:
        return Result(rule.name, rule.severity, "passed", observed, limit, f"{found} ({limit} is allowed).")
    found = f"{found}{_excess(rule, observed)}. Expected: {rule.description} {rule.do}"
    if rule.severity != "critical":
        return Result(rule.name, rule.severity, "warned", observed, limit, found)
    if accepted:
        return Result(rule.name, rule.severity, "accepted", observed, limit, f"{found} Accepted by --accept {rule.name}.")
    found = f"{found} To publish all the same, run again with --accept {rule.name}."
    return Result(rule.name, rule.severity, "failed", observed, limit, found)


def _limit(rule: Rule) -> str:
    least, most = rule.bounds.get("min_value"), rule.bounds.get("max_value")
    if least is None and most is None:
        return rule.description
    if least is None or most is None:
        return f"at least {_number(least)}" if most is None else f"at most {_number(most)}"
    return f"exactly {_number(least)}" if least == most else f"from {_number(least)} to {_number(most)}"


def _excess(rule: Rule, observed: float | None) -> str:
    least, most = rule.bounds.get("min_value"), rule.bounds.get("max_value")
    if observed is None:
        return ""
    if most is not None and observed > most:
        return f", {_number(observed - most)} above the limit of {_number(most)}"
    if least is not None and observed < least:
        return f", {_number(least - observed)} below the limit of {_number(least)}"
    return ""


def _number(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{int(value):,}" if value == int(value) else f"{value:.3g}"


@dataclass(frozen=True)
class _Decided:
    """The decisions in numbers; ids are digests.

    ids: uint64[n] of all rows, outcomes: int8[n] of all rows, places in OUTCOMES. repeated: uint64, the duplicate_of of
    duplicates; clusters: uint64, the cluster_id of all rows; both without nulls. stray: see Aggregates.stray_clusters.
    """

    ids: Digests
    outcomes: npt.NDArray[np.int8]
    repeated: Digests
    clusters: Digests
    stray: int


def _decided(paths: Sequence[Path | str]) -> _Decided:
    parts: list[_Decided] = []
    for rows in _read(paths, ["story_id", "outcome", "duplicate_of", "cluster_id"]):
        outcomes = _outcomes(rows)
        ids, repeated, clusters = (_digest(rows[name]) for name in ("story_id", "duplicate_of", "cluster_id"))
        repeats, clustered = (rows[name].is_valid().to_numpy() for name in ("duplicate_of", "cluster_id"))
        kept, duplicate = (outcomes == OUTCOMES.index(name) for name in ("kept", "duplicate"))
        right = clustered & (kept & (clusters == ids) | duplicate & repeats & (clusters == repeated))
        stray = int(((kept | duplicate) & ~right).sum())
        parts.append(_Decided(ids, outcomes, repeated[duplicate & repeats], clusters[clustered], stray))
    return _Decided(
        ids=_joined(np.uint64, (part.ids for part in parts)),
        outcomes=_joined(np.int8, (part.outcomes for part in parts)),
        repeated=_joined(np.uint64, (part.repeated for part in parts)),
        clusters=_joined(np.uint64, (part.clusters for part in parts)),
        stray=sum(part.stray for part in parts),
    )


def _new(paths: Sequence[Path | str], parents: Sequence[Path | str]) -> npt.NDArray[np.int8]:
    """Outcomes, as _outcomes has them, of the decisions that the parent did not make by the same recipe."""
    from tasks.kernels.digests import within

    mine, theirs = ({str(path).rpartition("/")[2]: path for path in files} for files in (paths, parents))
    gone = [path for name, path in theirs.items() if name not in mine]
    known = np.sort(_joined(np.uint64, (_by_recipe(rows) for rows in _read(gone, ["story_id", "recipe"]))))
    came = _read([path for name, path in mine.items() if name not in theirs], ["story_id", "outcome", "recipe"])
    return _joined(np.int8, (_outcomes(rows)[~within(_by_recipe(rows), known)] for rows in came))


def _read(paths: Sequence[Path | str], columns: list[str]) -> Iterator[pa.Table]:
    """These columns of one file after the other, as the schema has them; null rules are not looked at, damage is what the gate is to find."""
    wanted = pa.schema([(name, schema.COLUMNS[name].type) for name in columns])
    for path in paths:
        with storage.parquet(storage.located(path)) as file:
            yield file.read(columns=columns).cast(wanted)


def _digests(paths: Sequence[Path | str], name: str) -> Digests:
    return _joined(np.uint64, (_digest(rows[name]) for rows in _read(paths, [name])))


def _joined(kind: type[Number], parts: Iterable[npt.NDArray[Number]]) -> npt.NDArray[Number]:
    return np.concatenate([np.empty(0, kind), *parts])


def _digest(column: Any) -> Digests:
    """uint64[n] of n strings; a null has that of the empty string."""
    from tasks.kernels.digests import digest

    return digest(*terms.buffers(column))


def _by_recipe(rows: pa.Table) -> Digests:
    return _digest(pc.binary_join_element_wise(rows["story_id"], rows["recipe"], "/"))


def _outcomes(rows: pa.Table) -> npt.NDArray[np.int8]:
    """Place in OUTCOMES of each row's outcome, -1 for others."""
    places: npt.NDArray[np.int8] = pc.index_in(rows["outcome"], value_set=pa.array(OUTCOMES)).fill_null(-1).cast(pa.int8()).to_numpy()
    return places


def _count(outcomes: npt.NDArray[np.int8], name: str) -> int:
    return int((outcomes == OUTCOMES.index(name)).sum())


def _misplaced(rows: Digests, decided: Digests) -> int:
    """Size of the symmetric difference of a table's rows and the decisions that speak of it, sorted; repeated rows count too."""
    from tasks.kernels.digests import distinct, within

    return len(rows) + len(decided) - 2 * int(within(distinct(rows)[0], decided).sum())


def _residue(kind: str, expectation: str, checks: Counts, fresh: Counts) -> dict[str, int]:
    numbers = {}
    for prefix, counts in (("", checks), ("new_", fresh)):
        count = counts.of(expectation)
        numbers[f"{prefix}{kind}_checked"] = count.evaluated if count else 0
        numbers[f"{prefix}{kind}_left"] = count.failed if count else 0
    return numbers
