"""Mojibake of chains that ftfy does not know or gets wrong, accepted only when the language check says so.

A line is read again in each charset that it has sequences of; the reading that gains most plausibility wins, and is read
again in turn, so that text broken twice, or in two charsets, is mended step by step. Of a reading only those stretches are
taken (a stretch is what stands between two spaces) that are no less plausible for it and have no piece that is no word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tasks.repair.charsets import C1, Charset, Controls, charsets, controls, suspect
from tasks.repair.plausible import is_written, pieces, worth

ENOUGH = 2.0
"""What a reading must gain, over a whole line, to be believed: one piece that was no word and is one, or one common word."""
ENOUGH_OF_PART = 5.0
"""The same where the line has healthy characters beyond ASCII elsewhere: a word that nobody knows is then not enough."""
MOST_STEPS = 4
"""Readings one after the other of which a chain consists at most."""
_A_GRAVE = frozenset(("s", "quele", "quela", "queles", "quelas", "quilo"))  # Portuguese: \u00e0s, \u00e0quele and the like are one word
_ASCII = re.compile("[\0-\x7f]+")
_CYRILLIC = re.compile("[а-я]{3}")  # healthy: there, a capital before a space is a preposition and no lead (Russian)
LIKELY = 6
"""Of the charsets so many are tried on a line: those whose sequences take most of it."""
WINDOW = 600
"""Characters of a line that are mended together."""
MOST_FAILURES = 2
"""Windows of a line that may be searched without finding a chain."""
WIDTH = 3
"""Of the readings of a step so many are read on."""
TELLING = 7
"""Letters that the known words must have that C1 controls become in another charset than Windows-1252."""
MUCH = 5.0
"""From such a gain on the chain is certain, and takes stretches too that are a little less plausible for it: short words are."""
LITTLE = -1.5


@dataclass
class Reading:
    """Some stretches, what they are worth (of themselves, and by the clues of the sequences they came from), and how they were read."""

    stretches: list[str]
    worth: list[float]
    clues: list[float]
    steps: list[str]

    def rank(self, before: Reading) -> float:
        return sum(max(gain, -1.0) for gain in self.gains(before))

    def gains(self, before: Reading) -> list[float]:
        return [a + b - c - d for a, b, c, d in zip(self.worth, self.clues, before.worth, before.clues, strict=True)]


def mend(line: str) -> tuple[str, list[str], int]:
    """The line without mojibake, the readings that led there, in words, and the sequences of which chains were looked for in vain.

    A long line is mended window by window, and only so many windows are searched in vain, so that no line takes longer than
    its length warrants.

    >>> mend("Die B\u0413\u0458rger warten")
    ('Die B\u00fcrger warten', ['read cp1251 as utf-8'], 0)
    """
    windows, fixes, failures, vain = [], dict[str, None](), 0, 0
    for window in _windows(line):
        mended = window
        for _ in range(MOST_STEPS):
            if failures == MOST_FAILURES or not suspect().search(mended):
                break
            found, steps = _once(mended)
            if found == mended:
                failures += 1
                vain += len(suspect().findall(mended)) if mended == window else 0
                break
            mended = found
            fixes.update(dict.fromkeys(steps))
        windows.append(mended)
    return " ".join(windows), list(fixes), vain


def _windows(line: str) -> list[str]:
    """The line cut at spaces into windows of WINDOW characters or little more; a stretch without spaces may be longer."""
    if len(line) <= WINDOW:
        return [line]
    windows, size = [list[str]()], 0
    for stretch in line.split(" "):
        if size > WINDOW:
            windows.append([])
            size = 0
        windows[-1].append(stretch)
        size += len(stretch) + 1
    return [" ".join(window) for window in windows]


def _once(line: str) -> tuple[str, list[str]]:
    """The line after its most plausible chain; after a chain its lost no-break spaces are looked for."""
    total, mended, steps = _chain(line)
    for charset in charsets() if total and not _CYRILLIC.search(line) else ():
        if charset.step in steps and (restored := _restored(line, charset)) != line:
            again = _chain(restored)
            if again[0] >= total + LITTLE:
                total, mended, steps = again
    return mended, steps


def _restored(line: str, charset: Charset) -> str:
    """The line with the no-break spaces that belong to sequences, where they have become plain spaces.

    A letter with a grave accent may end a word or stand within one (Italian, Catalan, Vietnamese): the words decide.
    The other letters of this kind are capitals, which begin words.
    """
    if charset.lost is None:
        return line

    def restore(found: re.Match[str]) -> str:
        lead, space = found.groups()
        before = line[line.rfind(" ", 0, found.start()) + 1 : found.start()]
        after = line[found.end() :].split(" ", 1)[0] if len(line) <= 2 * WINDOW else ""
        if not after or space:
            return f"{lead}\xa0 "
        letter = charset.read_again(f"{lead}\xa0")[0]
        if letter != "à":
            return f"{lead}\xa0"
        left, right = ("".join(pieces(charset.read_again(part)[0])[at:][:1]) for part, at in ((before, -1), (after, 0)))
        one, *two = worth((left + letter + right, left + letter, right))
        joined = (left and one >= sum(two)) or after.rstrip(".,;:!?") in _A_GRAVE
        return f"{lead}\xa0{'' if joined else ' '}"

    return charset.lost.sub(restore, line)


def _chain(line: str) -> tuple[float, str, list[str]]:
    """What the most plausible chain of readings gains, the line after it, and the readings; 0 and the line if none is plausible enough."""
    stretches = line.split(" ")
    start = Reading(stretches, worth(stretches), [0.0] * len(stretches), [])
    states, best = [start], (0.0, line, list[str]())
    for _ in range(MOST_STEPS):
        fresh: dict[tuple[str, ...], tuple[float, Reading]] = {}
        for state in states:
            least = state.rank(start) - 1
            for charset in _likely(" ".join(state.stretches)):
                reading = _read(charset, state)
                if (rank := reading.rank(start)) > least:
                    fresh.setdefault(tuple(reading.stretches), (rank, reading))
        states = [reading for _, reading in sorted(fresh.values(), key=lambda ranked: -ranked[0])[:WIDTH]]
        for state in states:
            total, read = _taken(start, state)
            if total > best[0]:
                best = (total, read, state.steps)
    for single in controls() if C1.search(line) else ():
        state = _read(single, start)
        total, read = _taken(start, state)
        if total > best[0] and (single.name == "cp1252" or _telling(start, state)):
            best = (total, read, state.steps)
    return best


def _likely(line: str) -> list[Charset]:
    """The charsets whose sequences take most of the line, the preferred ones first; at most LIKELY."""
    beyond = _ASCII.sub(" ", line)  # no sequence has a character of it
    taken = [(sum(map(len, charset.sequences.findall(beyond))), charset) for charset in charsets()]
    most = max(size for size, _ in taken)
    return [charset for size, charset in sorted(taken, key=lambda pair: -pair[0])[:LIKELY] if size and size >= most / 2]


def _telling(start: Reading, end: Reading) -> bool:
    """The words that came about are known and not short: a sign within a word can be read as some letter always."""
    changed = [(b, value) for a, b, value in zip(start.stretches, end.stretches, end.worth, strict=True) if a != b]
    return sum(len(stretch) for stretch, value in changed if value > 0) >= TELLING


def _taken(start: Reading, end: Reading) -> tuple[float, str]:
    """What a chain gains, 0 if that is not enough, and the line with those stretches as the chain leaves them that can be believed."""
    from ftfy.badness import is_bad

    gains = end.gains(start)
    sound = [a != b and all(map(is_written, pieces(b))) and not is_bad(b) for a, b in zip(start.stretches, end.stretches, strict=True)]
    least = LITTLE if sum(gain for gain, ok in zip(gains, sound, strict=True) if ok and gain > 0) >= MUCH else 0.0
    taken = [ok and gain >= least for ok, gain in zip(sound, gains, strict=True)]
    part = any(not ok and not a.replace("\xa0", "").isascii() for a, ok in zip(start.stretches, taken, strict=True))
    total = sum(gain for gain, ok in zip(gains, taken, strict=True) if ok)
    line = " ".join(b if ok else a for a, b, ok in zip(start.stretches, end.stretches, taken, strict=True))
    return (total if total >= (ENOUGH_OF_PART if part else ENOUGH) else 0.0), line


def _read(charset: Charset | Controls, before: Reading) -> Reading:
    """The stretches read in a charset."""
    read = list(before.stretches)
    changed, clues = [], list(before.clues)
    for n, stretch in enumerate(before.stretches):
        if not stretch.isascii():
            read[n], found = charset.read_again(stretch)
            if read[n] != stretch:
                changed.append(n)
                clues[n] += found
    if changed:
        clues[changed[0]] -= charset.cost
    values = list(before.worth)
    for n, value in zip(changed, worth([read[n] for n in changed]), strict=True):
        values[n] = value
    return Reading(read, values, clues, [*before.steps, charset.step])
