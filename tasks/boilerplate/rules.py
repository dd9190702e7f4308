"""Rules as data: what furniture says, in which language, and what happens to the lines that say it."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

Kind = Literal["line", "block", "rest", "end", "byline", "agency"]
Zone = Literal["any", "margin"]

BUILT_IN = Path(__file__).parent.parent / "boilerplate.toml"
LANGUAGES = Path(__file__).parent / "languages"
LONGEST = 400  # code points; no rule looks at a longer line
HEADING = 80  # code points; a heading of a list of stories is no longer
KEYS = (8, 5, 3, 2, 1)  # code points of a line's beginning that find phrases and regexes
MANY = 200  # so many lines are worth a regular expression of RE2
SHORT = 100  # code points; a longer line is folded only when something in it may interest a rule

_KEYS = {"id", "why", "kind", "zone", "languages", "phrases", "regexes", "strips", "keeps"}
_LISTS = ("languages", "phrases", "regexes", "strips", "keeps")
_NUMBER = re.compile(r"\d+(?:[.,:'’]\d+)*")
_DIGIT = re.compile(r"\d")
_PLAIN = (
    *(("‘", "'"), ("’", "'"), ("‚", "'"), ("ʼ", "'"), ("“", '"'), ("”", '"'), ("„", '"'), ("–", "-"), ("—", "-")),
    *(("…", "..."), ("＋", "+"), ("\u00a0", " "), ("\u202f", " "), ("\u2009", " "), ("\u3000", " ")),
    ("i\u0307", "i"),  # the casefold of Turkish İ
)
_ANY_PLAIN = re.compile("[" + "".join(sign[-1] for sign, _ in _PLAIN) + "]")
_COLONS = (":", " :", "：", " |", " >", " -")
_ENDS = " .!?。！？\"')]）】」"
_EDGES = " \t,:;¿¡·•|*>»›→▶►↓+-_~=/\\([<«‹←▼▲✓×\"'\u200b\ufeff：、「【（"
# scripts that put no space after a word, or (Hangul) put endings to it
_UNSPACED = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]")
_META = frozenset("()[]{}?*+.\\^$|")
_OPTIONAL = ("?", "*", "{0", "{,")
_NEEDS = re.compile(r"\(\?=\.\*(?:\[(?P<signs>[^\]\\^-]+)\]|\(\?:(?P<words>[^()\[\]{}?*+.\\^$]+)\))\)")
_STOPS = frozenset(".!?")
_NO_SENTENCE = "(?!.*[.!?]$)"
_PARTS = re.compile(r"""[#'"\-.+ \t\u0307]+|[^#'"\-.+ \t\u0307]+""")
_CHANGED = frozenset("#'\"-.+ \t\u0307")  # signs that folding makes of others: their absence from a raw line says nothing


class RulesError(ValueError):
    """Rules that cannot be used; the text names the file, the rule, the key and what is allowed."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        id: name written to the `rule` of removed lines; lower case, hyphens.
        why: why such lines are no part of a story, for people.
        kind: what goes. line: this line. block: this heading and the short lines of the list under it. rest: this line and all after it,
            if furniture is all that follows. end: this line and all after it, whatever it is (comments). byline, agency: a credit, lifted.
        zone: any, or margin for what is furniture only before the first or after the last sentence of the story.
        languages: BCP 47 codes of the phrases; for people, a phrase is tried on every story.
        phrases: whole lines after `fold`; '#' stands for a number, '...' at the end for any more words, at both ends for any words around.
        regexes: matched from the beginning of the folded line.
        strips, keeps: example lines that the rule matches and must not match; a test reads them.
    """

    id: str
    why: str
    kind: Kind
    zone: Zone
    languages: tuple[str, ...]
    phrases: tuple[str, ...]
    regexes: tuple[str, ...]
    strips: tuple[str, ...]
    keeps: tuple[str, ...]


RECURRING = Rule("recurring", "recurs in the stories of its source (strip.furniture)", "line", "any", (), (), (), (), ())
"""What stands for a rule where a line is known by the furniture model of its source."""


# ---- reading -----------------------------------------------------------------------------------------------------------


def load_rules(path: Path | None = None) -> tuple[Rule, ...]:
    """The built-in rules; with the path of a rules file, its own rules before them, and without those that it disables.

    The built-in rules are `boilerplate.toml` and, with the phrases of one language each, the files in `languages`.

    Raises:
        RulesError: a file cannot be read, a rule has an unknown key, lacks one or has a pattern that does not compile, two rules share
            an id, or `disable` names no built-in rule.
    """
    built_in = _built_in()
    if path is None:
        return built_in
    own, disabled = read_rules(path)
    known = {rule.id for rule in built_in}
    for name in disabled:
        if name not in known:
            raise RulesError(f"rules: {path} disables {name!r}, which is no built-in rule; `copydesk rules` lists them")
    for rule in own:
        if rule.id in known - set(disabled):
            raise RulesError(f"rules: {path} has a rule {rule.id!r}, as the built-in ones have; give it another id, or put that in disable")
    return (*own, *(rule for rule in built_in if rule.id not in disabled))


def read_rules(path: Path) -> tuple[tuple[Rule, ...], tuple[str, ...]]:
    """What one rules file holds: its `[[rule]]` tables, and the ids of built-in rules in its `disable`.

    Raises:
        RulesError: as `load_rules`.
    """
    tables = _tables(path)
    for key in sorted(set(tables) - {"rule", "disable"}):
        raise RulesError(f"rules: {path} has the unknown key {key!r}; it must hold [[rule]] tables and, at its top, disable = [ids]")
    written = tables.get("rule", [])
    if not isinstance(written, list) or not (written or "disable" in tables):
        raise RulesError(f"rules: {path} must hold [[rule]] tables")
    rules = tuple(_rule(number, table) for number, table in enumerate(written, start=1))
    for name, times in Counter(rule.id for rule in rules).items():
        if times > 1:
            raise RulesError(f"rules: two rules are called {name!r}; give one of them another id")
    return rules, _texts(str(path), "disable", tables.get("disable", []))


def _built_in() -> tuple[Rule, ...]:
    rules = {rule.id: rule for rule in read_rules(BUILT_IN)[0]}
    for file in sorted(LANGUAGES.glob("*.toml")):
        for name, more in _tables(file).items():
            if name not in rules:
                raise RulesError(f"rules: {file} has phrases for {name!r}, which is no rule of {BUILT_IN.name}")
            unknown = sorted(set(more) - {"phrases", "regexes", "strips", "keeps"})
            if unknown:
                raise RulesError(f"rules: {file} has the unknown key {unknown[0]!r} in [{name}]")
            rule = rules[name]
            lists = {key: getattr(rule, key) + _texts(f"{file.name} [{name}]", key, more.get(key, [])) for key in _LISTS[1:]}
            rules[name] = replace(rule, languages=(*rule.languages, file.stem), **lists)
            _check_patterns(f"{file.name} [{name}]", rules[name])
    return tuple(rules.values())


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RulesError(f"rules: {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RulesError(f"rules: {path} is not TOML: {error}") from error


def _rule(number: int, table: Any) -> Rule:
    if not isinstance(table, dict):
        raise RulesError(f"rules: rule number {number} must be a [[rule]] table")
    name = f"rule {table['id']!r}" if isinstance(table.get("id"), str) else f"rule number {number}"
    unknown = sorted(set(table) - _KEYS)
    if unknown:
        raise RulesError(f"rules: {name} has the unknown key {unknown[0]!r}; allowed are {', '.join(sorted(_KEYS))}")
    for key in ("id", "why", "kind"):
        if not isinstance(table.get(key), str) or not table[key].strip():
            raise RulesError(f"rules: {name} needs {key}, a text")
    for key, allowed in (("kind", get_args(Kind)), ("zone", get_args(Zone))):
        if key in table and table[key] not in allowed:
            raise RulesError(f"rules: {name} has {key} = {table[key]!r}; allowed are {', '.join(allowed)}")
    lists = {key: _texts(name, key, table.get(key, [])) for key in _LISTS}
    rule = Rule(table["id"], table["why"], table["kind"], table.get("zone", "any"), **lists)
    if not rule.strips or not rule.keeps:
        if not rule.phrases and not rule.regexes:
            raise RulesError(f"rules: {name} needs phrases or regexes, or it never matches")
        raise RulesError(f"rules: {name} needs strips and keeps, examples of lines that it matches and must leave alone")
    _check_patterns(name, rule)
    return rule


def _check_patterns(name: str, rule: Rule) -> None:
    if not rule.phrases and not rule.regexes:
        raise RulesError(f"rules: {name} needs phrases or regexes, or it never matches")
    for regex in rule.regexes:
        try:
            groups = re.compile(regex).groups
        except re.error as error:
            raise RulesError(f"rules: {name} has the regex {regex!r}, which does not compile: {error}") from error
        if rule.kind == "byline" and groups != 1:
            raise RulesError(f"rules: {name} has the regex {regex!r}; a byline's needs one group, which holds the names")
    for phrase in rule.phrases:
        bare = phrase.removeprefix("...").removesuffix("...")
        if not fold(bare).rstrip(_ENDS):
            raise RulesError(f"rules: {name} has the phrase {phrase!r}, of which nothing is left to match")
        if "..." in bare or (bare != phrase and not phrase.endswith("...")):
            raise RulesError(f"rules: {name} has the phrase {phrase!r}; '...' may stand at its end or at both ends, no other place")


def _texts(name: str, key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise RulesError(f"rules: {name} has {key} = {value!r}; it must be a list of texts")
    return tuple(value)


# ---- matching ----------------------------------------------------------------------------------------------------------


def fold(line: str) -> str:
    """The line as regexes see it: lower case, one space, plain quotes and dashes, '#' for numbers, bare of edge signs but sentence ends.

    >>> fold("  » 1,204 Comments: ")
    '# comments'
    """
    folded = line.casefold()
    if not folded.isascii() and _ANY_PLAIN.search(folded):
        for sign, plain in _PLAIN:  # five times as fast as str.translate
            if sign in folded:
                folded = folded.replace(sign, plain)
    if _DIGIT.search(folded):
        folded = _NUMBER.sub("#", folded)
    if "  " in folded or "\t" in folded:
        folded = " ".join(folded.split())
    return folded.strip(_EDGES).lstrip(_ENDS)


class _Beginning(NamedTuple):
    """A phrase after which any more words may follow."""

    text: str
    rule: Rule
    number: int  # of the rule
    spaced: bool  # a word must end where the phrase ends
    heads: bool  # it is the heading of a list: a short line and no sentence


class _Regex(NamedTuple):
    """A regex and what a line must have for it to be worth a try."""

    regex: re.Pattern[str]
    rule: Rule
    needs: tuple[str, ...]  # one of these is in the line; empty: nothing is known
    no_sentence: bool  # the line's last sign is no full stop, question or exclamation mark

    def may_match(self, folded: str) -> bool:
        if self.no_sentence and folded[-1:] in _STOPS:
            return False
        return not self.needs or any(need in folded for need in self.needs)


@dataclass(frozen=True, slots=True)
class Matcher:
    """Rules in the form that is fast to ask: phrases by look-up, regexes by how the lines that they match begin.

    Attributes:
        whole: rules by whole phrase.
        longest: code points of the longest whole phrase, and 7 at least.
        heads: the keys of `beginnings` and `openings`.
        beginnings: phrases at a line's beginning by their first characters, as many of KEYS as they have.
        anywhere: (letters, phrases with their rules): phrases that may stand anywhere, under letters that they share.
        openings: numbers of regexes by first characters, likewise.
        free: numbers of the regexes whose lines may begin with anything.
        regexes: all of them, in the order of the rules.
        signs: a regex without which a lower-case line matches none of `anywhere` and `free`, for lines that end a sentence and for others;
            None when some regex cannot be told by a sign.
    """

    whole: dict[str, Rule]
    longest: int
    heads: frozenset[str]
    beginnings: dict[str, tuple[_Beginning, ...]]
    anywhere: tuple[tuple[str, tuple[tuple[str, Rule], ...]], ...]
    openings: dict[str, tuple[int, ...]]
    free: tuple[int, ...]
    regexes: tuple[_Regex, ...]
    signs: tuple[str | None, str | None]

    def match(self, folded: str) -> Rule | None:
        """The rule of a folded line: whole phrases, then the longest beginning, phrases anywhere, regexes; of several rules the first."""
        return self._match(folded, everything=True)

    def match_all(self, lines: Sequence[str]) -> list[Rule | None]:
        """The rule of each line, as it stands in its text: of one story, or faster of a batch of them, in which equal lines are asked once.

        The same as `match(fold(line))` of each, but that lines of more than LONGEST characters match none.
        """
        found: dict[str, Rule | None] = dict.fromkeys(lines)
        asked = [line for line in found if line and len(line) <= LONGEST]
        for line, signed in zip(asked, self._find_signs(asked), strict=True):
            if signed or len(line) <= SHORT or self._may_begin(line):
                found[line] = self._match(fold(line), everything=signed)
        return [found[line] for line in lines]

    def _match(self, folded: str, *, everything: bool) -> Rule | None:
        """As `match`; without everything, no phrase anywhere and no regex that is free to begin with anything."""
        rule = self.whole.get(folded.rstrip(_ENDS))
        if rule is not None or not folded:
            return rule
        heads = [head for size in KEYS if (head := folded[:size]) in self.heads]
        begun = [
            one
            for head in heads
            for one in self.beginnings.get(head, ())
            if folded.startswith(one.text)
            and not (one.spaced and _goes_on(folded[len(one.text) : len(one.text) + 1]))
            and not (one.heads and (len(folded) > HEADING or folded[-1] in ".。"))
        ]
        if begun:
            return max(begun, key=lambda one: (len(one.text), -one.number)).rule
        if everything:
            for letters, phrases in self.anywhere:
                if letters in folded and (rule := next((rule for phrase, rule in phrases if phrase in folded), None)):
                    return rule
        tried = {number for head in heads for number in self.openings.get(head, ())}
        if everything:
            tried.update(number for number in self.free if self.regexes[number].may_match(folded))
        return next((self.regexes[number].rule for number in sorted(tried) if self.regexes[number].regex.match(folded)), None)

    def _may_begin(self, line: str) -> bool:
        """False when a long line begins as no phrase and no regex does, told by its head alone."""
        head = fold(line[: self.longest + 24])
        if len(head.rstrip(_ENDS)) <= self.longest or not head.isprintable():  # little but signs, or spaces that folding may change
            return True
        return any(head[:size] in self.heads for size in KEYS)

    def _find_signs(self, lines: Sequence[str]) -> list[bool]:
        """Which lines may hold a sign without which no phrase inside a line and no free regex matches; of a few lines all of them may.

        RE2 looks for all signs at once, some thirty times as fast as Python, but must compile them first.
        """
        found = [True] * len(lines)
        if len(lines) < MANY:
            return found
        import pyarrow as pa
        import pyarrow.compute as pc

        for sentences, signs in zip((True, False), self.signs, strict=True):
            numbers = [number for number, line in enumerate(lines) if (line[-1:] in _STOPS) == sentences] if signs else []
            raw = pa.array([lines[number].casefold() for number in numbers], pa.string())
            for number, held in zip(numbers, pc.match_substring_regex(raw, signs or "").to_pylist(), strict=True):
                found[number] = held
        return found


def compile_rules(rules: tuple[Rule, ...]) -> Matcher:
    """The rules, ready to match."""
    whole: dict[str, Rule] = {}
    beginnings: dict[str, list[_Beginning]] = {}
    openings: dict[str, list[int]] = {}
    anywhere: list[tuple[str, Rule]] = []
    regexes: list[_Regex] = []
    free: list[int] = []
    for number, rule in enumerate(rules):
        for phrase in rule.phrases:
            folded = fold(phrase.removeprefix("...").removesuffix("...")).rstrip(_ENDS)
            if not phrase.endswith(":..."):
                whole.setdefault(folded, rule)
            if phrase.startswith("..."):
                anywhere.append((folded, rule))
            elif phrase.endswith("..."):
                for end in _COLONS if phrase.endswith(":...") else ("",):
                    spaced = not end and not _UNSPACED.match(folded[-1])
                    one = _Beginning(folded + end, rule, number, spaced, heads=rule.kind in ("rest", "block"))
                    beginnings.setdefault(_key(folded + end), []).append(one)
        for regex in rule.regexes:
            looks, bare, needs, no_sentence = _read_needs(regex)
            first = _first_literals(bare)
            for key in sorted({_key(literal) for literal in first or ()}):
                openings.setdefault(key, []).append(len(regexes))
            if first is None:
                free.append(len(regexes))
            regexes.append(_Regex(re.compile(regex if first else looks + bare), rule, needs, no_sentence))
    grouped = _group(anywhere)
    return Matcher(
        whole=whole,
        longest=max([7, *map(len, whole)]),
        heads=frozenset([*beginnings, *openings]),
        beginnings={key: tuple(found) for key, found in beginnings.items()},
        anywhere=grouped,
        openings={key: tuple(found) for key, found in openings.items()},
        free=tuple(free),
        regexes=tuple(regexes),
        signs=(
            _signs(anywhere, [regexes[number] for number in free if not regexes[number].no_sentence]),
            _signs(anywhere, [regexes[number] for number in free]),
        ),
    )


def _goes_on(sign: str) -> bool:
    """The sign goes on with the word before it, as letters and digits do, but for scripts that put no space between words."""
    return sign.isalnum() and not _UNSPACED.match(sign)


def _key(literal: str) -> str:
    return literal[: next((size for size in KEYS if len(literal) >= size), 0)]


def _signs(anywhere: Sequence[tuple[str, Rule]], free: Sequence[_Regex]) -> str | None:
    """A regex for RE2, found in every lower-case line that one of these matches once it is folded."""
    needs = {need for regex in free for need in regex.needs}
    if not all(regex.needs for regex in free) or any(_CHANGED.intersection(need) for need in needs):
        return None
    phrases = {"".join(_sign(part) for part in _PARTS.findall(phrase)) for phrase, _ in anywhere}
    return "|".join([*sorted(phrases), *map(re.escape, sorted(needs)), "i\u0307"])  # the last: folding takes it for an i


def _sign(part: str) -> str:
    """What a part of a folded phrase, all of it changed by folding or none, may be in the line."""
    if not _CHANGED.intersection(part):
        return re.escape(part)
    return ".+" if "#" in part else r"\W+"


def _group(phrases: list[tuple[str, Rule]]) -> tuple[tuple[str, tuple[tuple[str, Rule], ...]], ...]:
    """The phrases under six letters of a word that many of them share, so that most lines are asked for a few such and no phrase."""
    groups: list[tuple[str, tuple[tuple[str, Rule], ...]]] = []
    left = list(phrases)
    while left:
        counts = Counter(letters for phrase, _ in left for letters in set(_letters(phrase)))
        best = max(counts, key=lambda letters: (counts[letters], len(letters), letters))
        groups.append((best, tuple(one for one in left if best in one[0])))
        left = [one for one in left if best not in one[0]]
    return tuple(groups)


def _letters(phrase: str) -> Iterator[str]:
    """The stretches of six letters in the words of a phrase that folding leaves alone; of shorter words the longest."""
    words = sorted((word for word in phrase.split() if not _CHANGED.intersection(word)), key=len)
    if not words or len(words[-1]) <= 6:
        yield words[-1] if words else phrase
    for word in words:
        yield from (word[start : start + 6] for start in range(len(word) - 5))


# ---- how the lines of a regex begin --------------------------------------------------------------------------------------


def _read_needs(regex: str) -> tuple[str, str, tuple[str, ...], bool]:
    """The regex in two parts, lookaheads at its beginning and the rest; signs or words that a line must hold; that it is no sentence.

    What the last two say is not left in the lookaheads. A second list of signs stays there.

    >>> _read_needs("(?=.*[/|])(?!.*[.!?]$)(?!x).+ap$")
    ('(?!x)', '.+ap$', ('/', '|'), True)
    """
    looks = ""
    needs: tuple[str, ...] = ()
    no_sentence = False
    while regex.startswith(("(?=", "(?!")):
        if regex.startswith(_NO_SENTENCE):
            no_sentence, regex = True, regex.removeprefix(_NO_SENTENCE)
        elif not needs and (match := _NEEDS.match(regex)):
            needs = tuple(match["signs"] or match["words"].split("|"))
            regex = regex[match.end() :]
        else:
            end = _closing(regex) + 1
            looks, regex = looks + regex[:end], regex[end:]
    return looks, regex, needs, no_sentence


def _first_literals(regex: str) -> tuple[str, ...] | None:
    """Literals with one of which every line that the regex matches begins; None when it may begin with anything.

    >>> _first_literals("(?:see|read) more|by [a-z]"), _first_literals("a?b"), _first_literals(".")
    (('see more', 'read more', 'by '), None, None)
    """
    found: list[str] = []
    for branch in _branches(regex):
        literal = _literal(branch)
        if branch.startswith("("):
            end = _closing(branch)
            inner = branch[3:end] if branch.startswith("(?:") else branch[1:end]
            literals = None if branch.startswith(_OPTIONAL, end + 1) or inner.startswith("?") else _first_literals(inner)
            if not literals:
                return None
            rest = _literal(branch[end + 1 :])
            whole = set(_branches(inner))
            found += [one + rest if one in whole else one for one in literals]
        elif literal:
            found.append(literal)
        else:
            return None
    return tuple(found)


def _literal(branch: str) -> str:
    """The signs that an alternative begins with before anything but plain signs comes."""
    literal, size = "", 0
    while size < len(branch):
        escaped = branch[size] == "\\" and not branch[size + 1 :][:1].isalnum()
        if branch[size] in _META and not escaped:
            break
        literal += branch[size + escaped]
        size += 1 + escaped
    return literal[:-1] if branch.startswith(_OPTIONAL, size) else literal


def _branches(regex: str) -> Iterator[str]:
    """The alternatives of a regex that no bracket holds together."""
    start = depth = 0
    for number, sign in _signs_of(regex):
        depth += (sign == "(") - (sign == ")")
        if sign == "|" and not depth:
            yield regex[start:number]
            start = number + 1
    yield regex[start:]


def _closing(regex: str) -> int:
    """Where the bracket closes that the regex begins with."""
    depth = 0
    for number, sign in _signs_of(regex):
        depth += (sign == "(") - (sign == ")")
        if not depth:
            return number
    return len(regex)


def _signs_of(regex: str) -> Iterator[tuple[int, str]]:
    """The signs of a regex with their places, without escaped ones and classes of characters."""
    inside, number = False, 0
    while number < len(regex):
        sign = regex[number]
        if sign == "\\":
            number += 1
        elif inside:
            inside = sign != "]"
        elif sign == "[":
            inside = True
            number += regex[number + 1 : number + 2] == "^"
            number += regex[number + 1 : number + 2] == "]"
        else:
            yield number, sign
        number += 1
