"""The global stages of a run: keys by range, pairs by range, verdicts by part, clusters by component."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.job import Job
from tasks import cluster, index, match
from tasks import overrides as editors

RUNS_A_STORY = 120  # runs of words that are keys, of a story of 5 KB
KEY_BYTES = 80  # a key, with what it takes to group it
STORIES_A_TASK = 8_000  # whose keys are made together: some 70 MB of them
SCANNED_A_TASK = 64_000  # of whose keys few are kept
PROPOSED_AT_LEAST = 4_000  # stories whose keys are worth a range of their own
JUDGED_AT_LEAST, JUDGED_AT_MOST = 500, 250_000  # proposed pairs that are worth a task, and that a task can hold
COMPARED_AT_MOST = 8_000_000  # the same where most were proposed by the last run too


@dataclass(frozen=True)
class Chosen:
    """What match and cluster found, in files: pairs of one story, standings (a folder), copies; and the ranks whose cluster may have changed.
    What of the editors' word was found."""

    pairs: Path
    standing: Path
    copies: Path
    stirred: Path
    obeyed: editors.Obeyed


def choose(shards: Sequence[str], last: index.Last | None, changed: Sequence[str], job: Job) -> tuple[dict[str, int], Chosen]:
    """Global: keys by range, pairs by range, verdicts by part, clusters by component. Counts what was proposed and capped.

    Args:
        changed: stories of which editors said something else in the last run.
    """
    near, derivative, policy = job.knobs.near, job.knobs.derivative, job.knobs.cluster
    folder, roster = job.folder("match"), job.roster
    stories = job.one("roster", index.write_roster, job.index, shards, tuple(last.counts) if last else (), roster)
    only = folder / "touched.arrow" if last else None
    if only:
        job.one("touched", match.touched, roster, only, near, derivative)
    proposed = _propose(stories, only, "pairs", job)
    pairs = sum(part.pairs for part in proposed)
    parts = max(1, min(job.runner.slots, pairs // JUDGED_AT_LEAST), -(-pairs // (COMPARED_AT_MOST if only else JUDGED_AT_MOST)))
    judged = job.each("judge", match.judge, [(proposed, roster, folder, near, derivative, part, parts) for part in range(parts)])
    let_go = None
    if last and only:
        let_go, doubtful = folder / "let-go.arrow", folder / "doubtful.arrow"
        if job.one("dropped", match.doubtful, judged, last.pairs, roster, only, doubtful, let_go, near, derivative):
            job.one("dropped", match.keep, let_go, _propose(stories, doubtful, "doubtful", job))
    parts = max(1, min(4 * job.runner.slots, sum(part.positive for part in judged) // JUDGED_AT_LEAST))
    before = last.pairs if last else None
    plan = job.one(
        "components", cluster.plan, [part.judged_file for part in judged], roster, folder, parts, before, let_go, job.word, changed
    )
    standing = folder / "standing"
    slots = job.runner.slots
    if last:
        taken = [(last.standing, roster, plan.stirred_file, standing / f"carried-{n:05d}.parquet", n, slots) for n in range(slots)]
        job.each("carry", cluster.carry, taken)
    calls = [
        (file, roster, standing / f"{number:05d}.parquet", near, derivative, policy, job.word)
        for number, file in enumerate(plan.part_files)
    ]
    clustered = job.each("cluster", cluster.cluster, calls)
    copies = job.one("copies", cluster.copies, standing, roster, folder / "copies.parquet")
    obeyed = job.one("overrides", cluster.obeyed, standing, roster, job.word) if job.word.of_stories else editors.Obeyed()
    return {
        "stories": stories,
        "pairs_proposed": sum(part.proposed for part in judged),
        "pairs_judged": sum(part.judged for part in judged) + sum(part.judged_late for part in clustered),
        "pairs_of_one_story": sum(part.positive for part in judged),
        "hot_keys": sum(part.hot_keys for part in proposed),
        "components_cut": plan.chains,
        "pairs_left_out_at_hot_keys": sum(part.left_out for part in proposed),
    }, Chosen(plan.pairs_file, standing, copies, plan.stirred_file, obeyed)


def _propose(stories: int, only: Path | None, name: str, job: Job) -> list[match.Proposed]:
    """What the keys of all stories propose, or what those in the file `only` do."""
    near, derivative, run = job.knobs.near, job.knobs.derivative, job.knobs.run
    folder, roster = job.folder(name), job.roster
    keys_a_story = near.bands + derivative.samples + RUNS_A_STORY
    together = run.memory_mb * 1_000_000 // run.workers // KEY_BYTES
    ranges = max(1, min(job.runner.slots, stories // PROPOSED_AT_LEAST), -(-stories * keys_a_story // together))
    tasks = min(ranges, job.runner.slots) if only else ranges  # few keys are in a range then
    batches = index.batches(roster, SCANNED_A_TASK if only else min(STORIES_A_TASK, together // keys_a_story))
    calls = [(roster, batch, folder / f"keys-{number:06d}.arrow", ranges, near, derivative, only) for number, batch in enumerate(batches)]
    keys = job.each("keys", match.keys, calls)
    hot = job.knobs.cluster.hot_key
    outlines = job.one("outlines", match.outlines, roster, folder / "outlines.arrow", near, derivative) if not only else None
    parts = [range(ranges)[number::tasks] for number in range(tasks)]
    found = job.each("propose", match.propose, [(keys, roster, some, folder, near, derivative, hot, outlines, only) for some in parts])
    return [part for some in found for part in some]
