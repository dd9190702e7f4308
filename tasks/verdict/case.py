"""One pair of stories examined: the verdict, and all it rests on, in words."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from tasks import settings, verdict
from tasks.verdict import measures, stories, words
from tasks.verdict.passages import passages
from tasks.verdict.stories import Readings, Stories, peruse
from tasks.verdict.words import Barrier, Evidence, percent

_A, _B = np.array([0]), np.array([1])


class Case:
    """The first two of some stories, A and B."""

    def __init__(self, found: Stories, near: settings.Near, derivative: settings.Derivative) -> None:
        self.found = found
        self.near = near
        self.derivative = derivative

    @cached_property
    def judgement(self) -> verdict.Judgement:
        """As a run would judge them; its a and b are ordered by story_id."""
        (judged,) = verdict.judgements(verdict.judge(self.found, _A, _B, self.near, self.derivative))
        return judged

    @cached_property
    def readings(self) -> Readings:
        return peruse(self.found.table["text"])

    @cached_property
    def shared(self) -> measures.Shared:
        return measures.shared(self.found, self.readings, _A, _B)

    @cached_property
    def probability(self) -> float:
        """That one is a rewrite of the other, by the evidence alone."""
        return float(verdict.logistic(verdict.load_model().rewrite, measures.measures(self.shared))[0])

    @property
    def coverages(self) -> tuple[float, float]:
        """Coverage of A by B and of B by A, also of a pair that was set aside unread."""
        a, b = measures.coverage(self.shared)[0].tolist()
        return a, b

    def evidence(self) -> list[Evidence]:
        """The measures in words, also of a pair that was set aside unread; the intercept first, then by weight."""
        values = {name: float(value[0]) for name, value in measures.measures(self.shared).items()}
        return words.evidence(verdict.load_model().rewrite, values)

    def source_evidence(self, names: tuple[str, str]) -> list[Evidence]:
        """The measures of which of the two is the source, positive for A; the sentences call the two by `names`."""
        values = {name: float(value[0]) for name, value in measures.leanings(self.found, self.shared, _A, _B).items()}
        return words.leanings(verdict.load_model().source, values, *names)

    def passages(self, most: int) -> list[tuple[str, str]]:
        """At most `most` shared passages (text of A, text of B), longest first, whatever the verdict."""
        first, second = self.found.table["text"].to_pylist()[:2]
        return passages((first, second), stories.words(self.found.table["text"]), 0, 1, most)

    def barriers(self) -> list[Barrier]:
        """Why the two are no near copy and no rewrite; nothing of a tier that they are judged to be of, or above."""
        if self.judgement.relation in ("exact", "near"):
            return []
        near = self._near_barrier()
        if self.judgement.relation == "derivative":
            return [near]
        if near.name == "template" and not self._derivative_barriers():
            return [near, Barrier("derivative", "template", "what is one wording with other details is no rewrite, however much it shares")]
        return [near, *(self._derivative_barriers() or self._evidence_barriers())]

    def _near_barrier(self) -> Barrier:
        """What is_alike and has_details found, in words."""
        near, over = self.near, measures.overlaps(self.found, _A, _B)
        jaccard, contained = float(over.jaccard[0]), float(max(over.containment_a[0], over.containment_b[0]))
        if verdict.is_alike(self.found, _A, _B, over, near)[0]:
            later = float(measures.days_apart(self.found.published, _A, _B)[0]) > 1
            least, knob = (near.later_details, "near.later_details") if later else (near.details, "near.details")
            said = f"one wording, but other figures and names, like a template filled in anew: less than {percent(least)} agree ({knob})"
            return Barrier("near", "template", said)
        shortest = int(np.diff(self.found.shingle_starts)[:2].min())
        said = f"{percent(jaccard)} of the shingles are shared, and {percent(near.jaccard)} are asked for (near.jaccard)"
        if contained >= near.containment:
            return Barrier("near", "quotation", f"{said}; a text of {shortest} shingles is too short to be a cut (near.cut_shingles)")
        cut = f"{percent(contained)} of one text's stand in the other, of a cut {percent(near.containment)} would (near.containment)"
        return Barrier("near", "other_wording", f"{said}; {cut}")

    def _derivative_barriers(self) -> list[Barrier]:
        """Why the pair is not even read as source and rewrite: what can_derive found, in words."""
        found, derivative = [], self.derivative
        if not derivative.enabled:
            found.append(("switched_off", "rewrites are not looked for (derivative.enabled)"))
        if not derivative.same_source and measures.one_outlet(measures.outlets(self.found.table["source"].to_pylist()), _A, _B)[0]:
            source = self.found.table["source"][0].as_py()
            found.append(("same_source", f"both are of {source}, and a rewrite is another outlet's (derivative.same_source)"))
        shortest = int(np.diff(self.found.term_starts)[:2].min())
        if shortest < derivative.min_terms:
            said = f"rare terms in the shorter text: {shortest}, to tell a rewrite {derivative.min_terms} are needed (derivative.min_terms)"
            found.append(("too_short", said))
        weighted_jaccard = self.judgement.weighted_jaccard
        least = float(verdict.least_resemblance(measures.days_apart(self.found.published, _A, _B), derivative)[0])
        if weighted_jaccard < least:
            knob = "derivative.weighted_jaccard" if least == derivative.weighted_jaccard else "derivative.far_weighted_jaccard"
            said = f"the rare terms resemble each other by {percent(weighted_jaccard)}, and {percent(least)} is asked for"
            found.append(("no_resemblance", f"{said} ({knob})"))
        return [Barrier("derivative", name, said) for name, said in found]

    def _evidence_barriers(self) -> list[Barrier]:
        """Why the texts, once read, make no rewrite: what is_rewrite found, in words."""
        if not measures.same_language(self.shared)[0]:
            return [Barrier("derivative", "languages", "the two share few of their commonest words: they are in two languages")]
        if self.probability >= self.derivative.probability:
            least = percent(self.derivative.later_details)
            said = f"days apart, with other figures and names, like a template: less than {least} agree (derivative.later_details)"
            return [Barrier("derivative", "template", said)]
        least = percent(self.derivative.probability)
        said = f"the evidence makes a rewrite {percent(self.probability)} probable, and {least} is asked for (derivative.probability)"
        return [Barrier("derivative", "improbable", said)]
