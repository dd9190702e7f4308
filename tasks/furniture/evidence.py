"""What speaks for and against a recurring line: what it says, where it stands, and what its stories have in common."""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from statistics import median

from tasks.furniture.lines import UNSPACED, Place, Recurring

FEWEST, SHARE, DAYS = 5, 0.01, 3
"""Stories in which a line must stand, at least so many and such a share of its source's; and days on which they were published."""
OUTSIDE = 0.9
"""Share of a story's own prose that must stand before a line for it to be at the tail, or after it for the head; and share of the line's
stories in which what is seen of it must be so."""
MOST_STORIES = 0.5
"""Share of a source's stories in which a line outside them must stand to be furniture without another word."""
BLOCK_LINES, BLOCK_SHARE = 6, 0.3
"""Lines that recur one after the other and make a block (a menu), and share of the source's stories in which a line of one must stand."""
LABEL_WORDS = 6
"""Words that a line must have to be more than a label (a subhead, a speaker, a place)."""
ADDRESS_WORDS = 12
"""Words that a line must have that speaks to the reader; a shorter one may be a column's good-bye."""
LEAD_WORDS = 3
"""Words that a line of furniture may have that ends in a colon ("Read more:"); a longer one is said by somebody."""
TOPICAL = 0.15
"""How much more often the words of a line may stand in the rest of its own stories than in other stories, on the average word."""
ALIKE = 0.25
"""How alike the stories of a line may be (see _alike) before they are one template or one running story. Stories of one outlet have .12
to .20 (42 outlets), those of the 80 true lines of furniture of theirs .13 to .24, the issues of a daily column and the parts of a podcast
.32."""
COMPARED = 200
"""Stories of a line that are compared with each other."""

SHORT, NOTHING = "a short line beside the prose, as a subhead is", "nothing speaks for it"

_LEADS = (":", "：", ",", "-", "–", "—")
_WORD = re.compile(r"[^\W\d_]+")
_QUOTED = re.compile(r"“[^”]*”?|„[^“”]*[“”]?|«[^»]*»?|「[^」]*」?|『[^』]*』?|\"[^\"]*\"?")
_SIGNS = re.compile(r"©|\bwww\.\S+|https?://\S+|\S+@\S+\.\w+|(?<!\S)@\w+|[›→►▶✉☎]")


@dataclass(slots=True)
class Seen:
    """What was seen of one recurring line: the stories that have it, and in how many of them ...

    Attributes:
        rows: numbers of these stories.
        days: days of publication of the dated ones; dated: how many are.
        written: the line as it stands there, without case; example: the first of these by code points, as written.
        placed: ... there is prose of the story's own; head, tail: before, after which the line stands.
        prose_after, prose_before: ... such prose comes right after, right before it.
        block: ... it is one of BLOCK_LINES or more lines that recur, without figures, one after the other.
        next: the recurring lines that come right after it.
    """

    rows: list[int] = field(default_factory=list)
    days: set[str] = field(default_factory=set)
    dated: int = 0
    written: set[str] = field(default_factory=set)
    example: str = ""
    placed: int = 0
    head: int = 0
    tail: int = 0
    prose_after: int = 0
    prose_before: int = 0
    block: int = 0
    next: Counter[str] = field(default_factory=Counter)

    @property
    def place(self) -> Place:
        """Head or tail of the stories, any if neither."""
        if 2 * self.placed < len(self.rows):
            return "any"
        return "head" if self.head >= OUTSIDE * self.placed else "tail" if self.tail >= OUTSIDE * self.placed else "any"


@dataclass(frozen=True, slots=True)
class Case:
    """A recurring line to be judged: its folded form, what was seen of it, its source, and the words of each of the source's stories.

    The words are those of the story itself: of lines that do not recur, and of recurring prose inside the stories that says nothing of
    furniture.
    """

    folded: str
    its: Seen
    source: str
    words: Sequence[frozenset[str]]

    @property
    def stories(self) -> int:
        """Stories that have the line."""
        return len(self.its.rows)

    @property
    def count(self) -> int:
        """Words of the line; two signs of a script without spaces are one."""
        return len(self.folded.split()) + len(UNSPACED.findall(self.folded)) // 2

    @property
    def long(self) -> bool:
        """It is more than a label."""
        return self.count >= LABEL_WORDS

    @property
    def in_block(self) -> bool:
        return self.its.block >= OUTSIDE * self.stories and self.stories >= BLOCK_SHARE * len(self.words)


def judge(case: Case) -> Recurring:
    """The line with the verdict on it: nothing may speak against it, and something must speak for it."""
    place, take = case.its.place, False
    cue = find_cue(case.folded)
    why = next((why for applies, why in _against(case, cue) if applies), None)
    if why is None:
        spoken = next(((where, why) for applies, where, why in _speaks_for(case, cue) if applies), None)
        take = spoken is not None
        place, why = spoken or (place, NOTHING)
    return Recurring(case.source, take, place, why, case.stories, len(case.words), len(case.its.days), case.its.example)


def _against(case: Case, cue: str | None) -> Iterator[tuple[bool, str]]:
    """Whether it applies, and in words what keeps a line in the stories."""
    its, inside = case.its, case.its.place == "any"
    yield its.dated >= FEWEST and len(its.days) < DAYS, f"in stories of {len(its.days)} {'day' if len(its.days) == 1 else 'days'} only"
    note = words_of("notes").search(case.folded)
    yield note is not None, f"a note on the story: {note and note[0]}"
    yield case.folded.endswith(_LEADS) and not (cue and case.count <= LEAD_WORDS), "leads over to what follows"
    figures = len(its.written) > max(2, case.stories / 3)
    yield figures and (case.long or not cue), "its figures differ from story to story"
    if cue:
        yield inside and case.long and _alike(its.rows, case.words) > ALIKE, "inside the stories, which are of one template"
    if cue or case.in_block:
        return
    yield inside, "inside the stories"
    yield _alike(its.rows, case.words) > ALIKE, "its stories are of one template or topic"
    yield case.long and _topical(case) > TOPICAL, "its stories are of one template or topic"
    beside = (its.prose_after if its.place == "head" else its.prose_before) > (1 - OUTSIDE) * case.stories
    yield beside and not case.long and not _is_name(case), SHORT


def _speaks_for(case: Case, cue: str | None) -> Iterator[tuple[bool, Place, str]]:
    """Whether it applies, where the line is then taken, and in words what makes it furniture."""
    place, where = case.its.place, f"at the {case.its.place} of the stories"
    yield cue is not None, "any", f"says so: {cue}"
    yield case.in_block, "block", f"in a block of {BLOCK_LINES} or more lines that recur"
    yield _is_name(case), place, f"{where}, the source's name"
    address = words_of("address").search(_QUOTED.sub(" ", case.folded))
    yield (
        address is not None and case.count >= ADDRESS_WORDS,
        place,
        f"{where}, speaks of itself or to the reader: {address and address[0]}",
    )
    yield case.stories >= MOST_STORIES * len(case.words), place, f"{where}, in most of the source's"


def find_cue(folded: str) -> str | None:
    """The word or sign by which a folded line says that it is furniture; what it quotes, somebody else says.

    >>> find_cue("subscribe to our newsletter"), find_cue("the ferry was late again")
    ('subscribe', None)
    """
    own = _QUOTED.sub(" ", folded)
    found = words_of("furniture").search(own) or _SIGNS.search(own)
    return found[0] if found else None


@cache
def words_of(table: str) -> re.Pattern[str]:
    """The words of one table of words.toml in all languages, as one pattern."""
    languages = tomllib.loads((files("tasks.furniture") / "words.toml").read_text(encoding="utf-8"))[table]
    words = sorted({word.casefold() for listed in languages.values() for word in listed})
    spaced = "|".join(re.escape(word) for word in words if not UNSPACED.search(word))
    end = r"(?!\w)" if table == "address" else ""
    return re.compile("|".join([rf"(?<!\w)(?:{spaced}){end}", *(re.escape(word) for word in words if UNSPACED.search(word))]))


def own_words(text: str) -> Iterator[str]:
    """Words of four letters and more, without case; of scripts without spaces pairs of signs."""
    for found in _WORD.findall(text.casefold()):
        if UNSPACED.search(found):
            yield from (found[at : at + 2] for at in range(len(found) - 1))
        elif len(found) >= 4:
            yield found


def _is_name(case: Case) -> bool:
    """The line is the source's name, or the greater part of it."""
    line, name = ("".join(_WORD.findall(text.casefold().removeprefix("www.").removeprefix("the "))) for text in (case.folded, case.source))
    return line in name and 2 * len(line) > len(name)


def _alike(rows: Sequence[int], words: Sequence[frozenset[str]]) -> float:
    """How alike the stories of these rows are: the median cosine of the sets of their own words, of each with the next three."""
    rows = rows[:COMPARED]
    pairs = ((words[one], words[other]) for step in (1, 2, 3) for one, other in zip(rows, rows[step:], strict=False))
    return median([len(one & other) / math.sqrt(len(one) * len(other)) for one, other in pairs if one and other] or [0.0])


def _topical(case: Case) -> float:
    """How much more often a line's words stand in the rest of its own stories than in the source's other stories, on average: -1 to 1.

    Zero where there are hardly other stories to compare with.
    """
    its, having = set(own_words(case.folded)), set(case.its.rows)
    others = [number for number in range(len(case.words)) if number not in having]
    if not its or len(others) < FEWEST:
        return 0.0
    inside = sum(len(its & case.words[number]) for number in case.its.rows) / case.stories
    outside = sum(len(its & case.words[number]) for number in others) / len(others)
    return (inside - outside) / len(its)
