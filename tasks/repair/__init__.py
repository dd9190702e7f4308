"""Repair broken encoding with ftfy and, beyond it, our own chains; write down each edit so that it can be made again.

What is done to a line, in this order, until it comes to rest: ftfy's steps as set; or the readings of `chains`, where the language
check finds what comes out more plausible; then invisible characters. docs/encoding.md has the whole of it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import cache
from itertools import accumulate, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from unicodedata import is_normalized

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks import settings
from tasks.repair import chains
from tasks.repair.charsets import suspect
from tasks.repair.invisible import PRESENT, drop
from tasks.repair.plausible import plausibility
from tasks.schema import REPAIRED, conform

if TYPE_CHECKING:
    from ftfy import TextFixerConfig

FIELDS = ("title", "byline", "text")
_PLAIN = re.compile(r"[\t\n -%'-~]*")  # printable ASCII without the ampersand, which may begin an entity
# with the punctuation of well-set text: no alternative of ftfy.badness.BADNESS_RE is made of these characters alone
_WELL_SET = re.compile(r"[\t\n -%'-~\xa0\u2013\u2014\u2018\u2019\u201c\u201d\u2022\u2026]*")
_MOST_USUAL = 0x2100  # all signs of both are below
# The stretches of a line that hold all other characters, and how many signs a match of BADNESS_RE may go beyond one of these
_UNUSUAL = re.compile("[^{0}]+(?:[{0}]{{1,12}}[^{0}]+)*".format(_WELL_SET.pattern[1:-2]))
_REACH = 6
# What ftfy may change in text that is not mojibake: entities, controls, line breaks, byte order marks, ligatures, and the
# invisible characters of ftfy.chardata.CONTROL_CHARS
_SPECIAL = re.compile(
    "&#?[0-9A-Za-z]{1,24};|[\0-\x08\x0b-\x1f\x7f-\x9f\u0132\u0133\u0149\u01c4-\u01cc\u01f1-\u01f3\u2028\u2029\u206a-\u206f\ufb00-\ufb06\ufeff\ufff9-\ufffc\ud800-\udfff]"
)
_WIDE = re.compile("[\u3000\uff01-\uffef]")
_TOKEN = re.compile(r"\s+|\S+")
_CURLED = re.compile("[\u02bc\u2018-\u201f]")
_CHARSET = re.compile(
    r"mojibake|\bunicode\b|\butf-?(?:8|16|32)\b|\blatin-?[1-9]\b|\biso[- ]?8859|\bwindows-125\d|\bcp-?\d{3,4}\b|\bkoi8", re.IGNORECASE
)
_EXAMPLES = 3
_MOST_ROUNDS = 6
_IN_DOUBT = 2.0  # plausibility that ftfy's reading must have before ours: ours has passed the language check (but ftfy knows lost bytes)
MOST_BROKEN = 100_000  # characters of broken lines of one field that are mended, as often as they are read again
MOST_IN_VAIN = 1_200  # sequences of one field of which chains are looked for and not found
GIVEN_UP = "left as it is from here on: too much is broken"
NO_CHAINS = "no chains looked for from here on: too many were looked for in vain"
_MOST_TOKENS = 600  # beyond, a line's edits are not told apart: the comparison is quadratic

Edit = dict[str, Any]


@dataclasses.dataclass
class Effort:
    """What may still be spent on one field of a story, so that none takes longer than its length warrants; see MOST_...

    notes: what was given up, in words, by the place from which on it was.
    """

    broken: int = MOST_BROKEN
    vain: int = MOST_IN_VAIN
    notes: dict[str, int] = dataclasses.field(default_factory=dict)

    def edits(self, name: str) -> list[Edit]:
        """The notes as edits that change nothing."""
        return [
            {"step": 0, "field": name, "start": at, "end": at, "before": "", "after": "", "fix": note} for note, at in self.notes.items()
        ]


def repair(table: pa.Table, knobs: settings.Repair) -> pa.Table:
    """INGESTED rows to REPAIRED ones: title, byline and text mended, every edit in `repairs`."""
    sound = table["reason"].is_null().to_numpy()
    repairs: dict[int, list[Edit]] = {}
    for field in FIELDS:
        mended = dict(_repair_all(table[field], sound, field, knobs, repairs))
        if mended:
            new = pa.chunked_array([[mended.get(row) for row in range(len(table))]], pa.string())
            column = table.schema.get_field_index(field)
            table = table.set_column(column, table.schema.field(field), pc.coalesce(new, table[field]))
    return conform(table.append_column(REPAIRED.field("repairs"), _list(repairs, len(table))), REPAIRED)


def _repair_all(
    texts: pa.ChunkedArray[Any], sound: npt.NDArray[np.bool_], field: str, knobs: settings.Repair, repairs: dict[int, list[Edit]]
) -> Iterator[tuple[int, str]]:
    """`repair_text` of all sound texts at once: number and new text of those that change; the edits are added to `repairs`.

    Most lines are of usual signs only, and of most stories all: a kernel finds the others.
    """
    from tasks import terms
    from tasks.kernels import unusual

    data, offsets = terms.buffers(texts)
    lines = unusual.find(data, offsets, _usual(knobs.uncurl_quotes))
    held = data.data
    for row, of_text in groupby(lines[sound[lines[:, 0]]].tolist(), key=itemgetter(0)):
        at, end = int(offsets[row]), int(offsets[row + 1])
        pieces: list[bytes | memoryview] = []
        config = _config(knobs, tags=b"<" in bytes(held[at:end]))
        edits: list[Edit] = []
        effort = Effort()
        for _, begin, stop, before in of_text:
            line = str(held[begin:stop], "utf-8")
            mended, fix = _repair_line(line, before, config, knobs, effort)
            if mended != line:
                edits += _edits(line, mended, before, field, fix)
                pieces += [held[at:begin], mended.encode()]
                at = stop
        if edits or effort.notes:
            repairs.setdefault(row, []).extend(_in_order(edits, effort.edits(field)))
        if edits:
            yield row, b"".join([*pieces, held[at:end]]).decode()


@cache
def _usual(uncurl_quotes: bool) -> npt.NDArray[np.uint8]:
    """For the kernel, the signs that nothing is done to: uint8[0x110000]."""
    usual = np.zeros(0x110000, np.uint8)
    pattern = _PLAIN if uncurl_quotes else _WELL_SET
    usual[[code for code in range(_MOST_USUAL) if pattern.fullmatch(chr(code))]] = 1
    return usual


def _list(repairs: Mapping[int, Sequence[Edit]], rows: int) -> pa.ListArray[Any]:
    """The column `repairs`, by row."""
    kind = REPAIRED.field("repairs").type
    edits = [edit for row in range(rows) if row in repairs for edit in repairs[row]]
    values = [pa.array([edit[field.name] for edit in edits], field.type) for field in kind.value_type]
    offsets = pa.array(accumulate((len(repairs.get(row, ())) for row in range(rows)), initial=0), pa.int32(), size=rows + 1)
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(values, fields=list(kind.value_type)), type=kind)


def warm_up(knobs: settings.Repair) -> None:
    """Load ftfy, the charsets, the table of how rare words are and the kernels, so that processes forked from this one need not (1 s)."""
    broken = "Die B\u0413\u0458rger warten \xe2\u20ac\u201dsagt man\xe2\u20ac\u2122"
    dict(_repair_all(pa.chunked_array([[broken]]), np.ones(1, np.bool_), "text", knobs, {}))


def repair_text(text: str, field: str, knobs: settings.Repair) -> tuple[str, list[Edit]]:
    """The mended text and the edits (as of REPAIR_EDIT) that lead to it; lines stay lines.

    >>> repair_text("The caf\u00c3\u00a9 opens", "text", settings.Repair())[0]
    'The caf\u00e9 opens'
    """
    if (_PLAIN if knobs.uncurl_quotes else _WELL_SET).fullmatch(text):
        return text, []
    config = _config(knobs, tags="<" in text)
    lines, edits, start = [], list[Edit](), 0
    effort = Effort()
    for line in text.split("\n"):
        mended, fix = _repair_line(line, start, config, knobs, effort)
        if mended != line:
            edits += _edits(line, mended, start, field, fix)
        lines.append(mended)
        start += len(line) + 1
    return "\n".join(lines), _in_order(edits, effort.edits(field))


def _in_order(edits: list[Edit], notes: list[Edit]) -> list[Edit]:
    return sorted([*edits, *notes], key=itemgetter("start")) if notes else edits


def apply(text: str, repairs: Iterable[Mapping[str, Any]], field: str = "text") -> str:
    """Make the recorded edits of one field again: apply(what ingest wrote, repairs) is the repaired field."""
    mine = (edit for edit in repairs if edit["field"] == field)
    for _, edits in groupby(mine, key=lambda edit: edit["step"]):
        pieces, at = [], 0
        for edit in edits:
            if text[edit["start"] : edit["end"]] != edit["before"]:
                raise ValueError(f"the repair at {edit['start']} does not fit this text: {edit['before']!r} is not there")
            pieces += [text[at : edit["start"]], edit["after"]]
            at = edit["end"]
        text = "".join([*pieces, text[at:]])
    return text


def _config(knobs: settings.Repair, tags: bool) -> TextFixerConfig:
    from ftfy import TextFixerConfig

    return TextFixerConfig(
        unescape_html=knobs.unescape_html and not tags,
        fix_latin_ligatures=knobs.fix_latin_ligatures,
        fix_character_width=knobs.fix_character_width,
        uncurl_quotes=knobs.uncurl_quotes,
    )


def _repair_line(line: str, start: int, config: TextFixerConfig, knobs: settings.Repair, effort: Effort) -> tuple[str, str]:
    """The mended line and what was done, in words; a line that never comes to rest is left alone. `start`: its place in the field."""
    now, fixes = line, list[str]()
    for _ in range(_MOST_ROUNDS):
        if _unchanged(now, config, knobs):
            return now, ", ".join(fixes)
        if len(now) > effort.broken:
            effort.notes.setdefault(GIVEN_UP, start)
            return line, ""
        effort.broken -= len(now)
        mended, steps = _round(now, start, config, knobs, effort)
        if mended == now:
            return now, ", ".join(fixes)
        now, fixes = mended, [*fixes, *steps]
    return line, ""


def _round(line: str, start: int, config: TextFixerConfig, knobs: settings.Repair, effort: Effort) -> tuple[str, list[str]]:
    """What ftfy makes of the line, or our chains where that is more plausible; then without stray invisible characters."""
    if _is_about_charsets(line):
        mended, steps = _ftfy(line, config._replace(fix_encoding=False))
    else:
        mended, steps = _ftfy(line, config)
        if knobs.chains and suspect().search(line):
            if effort.vain <= 0:
                effort.notes.setdefault(NO_CHAINS, start)
            ours, readings, vain = chains.mend(line) if effort.vain > 0 else (line, [], 0)
            effort.vain -= vain
            if readings:
                ours, more = _ftfy(ours, config)
                if plausibility(mended) <= plausibility(ours) + (0.0 if "\ufffd" in ours else _IN_DOUBT):
                    mended, steps = ours, readings + more
    seen = drop(mended, knobs.invisible)
    return seen, steps if seen == mended else [*steps, f"drop {knobs.invisible} invisible characters"]


def _ftfy(line: str, config: TextFixerConfig) -> tuple[str, list[str]]:
    from ftfy import fix_and_explain

    fixed, plan = fix_and_explain(line, config)
    return " ".join(fixed.split("\n")), [f"{action} {name}" for action, name in plan or []]


def _is_about_charsets(line: str) -> bool:
    """The line names a charset and has a few broken stretches only: they are its examples."""
    from ftfy.badness import is_bad

    return _CHARSET.search(line) is not None and sum(bool(suspect().search(part)) or is_bad(part) for part in line.split()) <= _EXAMPLES


def _unchanged(line: str, config: TextFixerConfig, knobs: settings.Repair) -> bool:
    """A round would not change the line: the conditions of its steps, without the steps (tested against it)."""
    if (_PLAIN if config.uncurl_quotes else _WELL_SET).fullmatch(line):
        return True
    if _SPECIAL.search(line) or (config.fix_character_width and _WIDE.search(line)):
        return False
    if config.uncurl_quotes and _CURLED.search(line):
        return False
    if knobs.invisible != "keep" and PRESENT.search(line):
        return False
    return not (knobs.chains and suspect().search(line)) and not _may_be_bad(line) and is_normalized("NFC", line)


def _may_be_bad(line: str) -> bool:
    """False when ftfy's is_bad is: ten times as fast for a line with one accent, as only what is around it is looked at."""
    from ftfy.badness import is_bad

    return any(is_bad(line[max(0, found.start() - _REACH) : found.end() + _REACH]) for found in _UNUSUAL.finditer(line))


def _edits(before: str, after: str, start: int, field: str, fix: str) -> list[Edit]:
    """Whole words that differ, or, where too many words lie between the first and the last that do, the whole stretch."""
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    first, most = 0, min(len(old), len(new))
    while first < most and old[first] == new[first]:
        first += 1
    last = 0
    while last < most - first and old[-1 - last] == new[-1 - last]:
        last += 1
    start += sum(map(len, old[:first]))
    old, new = old[first : len(old) - last], new[first : len(new) - last]
    if max(len(old), len(new)) > _MOST_TOKENS:
        old, new = ["".join(old)], ["".join(new)]
    places = [0]
    for token in old:
        places.append(places[-1] + len(token))
    return [
        {
            "step": 0,
            "field": field,
            "start": start + places[a],
            "end": start + places[b],
            "before": "".join(old[a:b]),
            "after": "".join(new[c:d]),
            "fix": fix,
        }
        for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        if kind != "equal"
    ]
