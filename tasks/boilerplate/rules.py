"""Rules as data: what furniture says, in which language, and what happens to the lines that say it."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from tasks import terms
from tasks.boilerplate.sieve import ALL, BITS, ENDS, KEYS, Bytes, Sieve, Starts, fold

__all__ = [
    "BUILT_IN",
    "LANGUAGES",
    "LONGEST",
    "OVERRIDE",
    "RECURRING",
    "Matcher",
    "Rule",
    "RulesError",
    "compile_rules",
    "fold",
    "load_rules",
    "read_rules",
]

Kind = Literal["line", "block", "rest", "end", "byline", "agency"]
Zone = Literal["any", "margin"]

BUILT_IN = Path(__file__).parent.parent / "boilerplate.toml"
LANGUAGES = Path(__file__).parent / "languages"
REGEX_BITS = 40  # of the bits, those for regexes; with more regexes some share a bit
LONGEST = 400  # code points; no rule looks at a longer line
HEADING = 80  # code points; a heading of a list of stories is no longer
MOST_HEADS = 400  # beginnings that one regex is looked up by
MANY = 200  # so many lines are worth a look at all of them together

_KEYS = {"id", "why", "kind", "zone", "languages", "phrases", "regexes", "strips", "keeps"}
_LISTS = ("languages", "phrases", "regexes", "strips", "keeps")
_COLONS = (":", " :", "：", " |", " >", " -")
# scripts that put no space after a word, or (Hangul) put endings to it
_UNSPACED = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]")
_META = frozenset("()[]{}?*+.\\^$|")
_OPTIONAL = ("?", "*", "{0", "{,")
_NEEDS = re.compile(r"\(\?=\.\*(?:\[(?P<signs>[^\]\\^-]+)\](?P<end>\$)?|\(\?:(?P<words>(?:[^()\[\]{}?*+.\\^$]|\\[().|$])+)\))\)")
_STOPS = frozenset(".!?")
_NO_SENTENCE = "(?!.*[.!?]$)"


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
OVERRIDE = Rule("override", "an editor says that it is boilerplate (copydesk override)", "line", "any", (), (), (), (), ())
"""What stands for a rule where an editor has decided on the line."""


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


def reasons(rules: str | None = None) -> dict[str, str]:
    """What each rule that `removed` may name is for.

    Args:
        rules: path of a rules file to use beside the built-in rules.

    Raises:
        RulesError: the rules file cannot be used.
    """
    loaded = {rule.id: rule.why for rule in load_rules(Path(rules) if rules else None)}
    return loaded | {
        "headline": "the headline, moved into title, or the title once more",
        "byline": "who wrote it, moved into byline",
        "agency": "credit of an agency, moved into agency",
        "date": "the date, moved into published_at",
        "furniture": "reads as no line of the story, by itself and among its neighbours (the line model)",
        **{rule.id: rule.why for rule in (RECURRING, OVERRIDE)},
    }


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
            lists: dict[str, Any] = {key: _texts(f"{file.name} [{name}]", key, more.get(key, [])) for key in _LISTS[1:]}
            if lists["phrases"] or lists["regexes"]:
                _check_patterns(f"{file.name} [{name}]", replace(rule, **lists))
            lists = {key: getattr(rule, key) + texts for key, texts in lists.items()}
            rules[name] = replace(rule, languages=(*rule.languages, file.stem), **lists)
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
        if not fold(bare).rstrip(ENDS):
            raise RulesError(f"rules: {name} has the phrase {phrase!r}, of which nothing is left to match")
        if "..." in bare or (bare != phrase and not phrase.endswith("...")):
            raise RulesError(f"rules: {name} has the phrase {phrase!r}; '...' may stand at its end or at both ends, no other place")


def _texts(name: str, key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise RulesError(f"rules: {name} has {key} = {value!r}; it must be a list of texts")
    return tuple(value)


# ---- matching ----------------------------------------------------------------------------------------------------------


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
    needs: tuple[tuple[str, ...], ...]  # of each one is in the line, with a line feed after its last sign
    no_sentence: bool  # the line's last sign is no full stop, question or exclamation mark

    def may_match(self, folded: str) -> bool:
        if self.no_sentence and folded[-1:] in _STOPS:
            return False
        ended = folded + "\n"
        for need in self.needs:
            for sign in need:  # some 5 times as fast as any()
                if sign in ended:
                    break
            else:
                return False
        return True


@dataclass(frozen=True, slots=True)
class Matcher:
    """Rules in the form that is fast to ask: phrases by look-up, regexes by how the lines that they match begin.

    Attributes:
        whole: rules by whole phrase.
        heads: the keys of `beginnings` and `openings`.
        beginnings: phrases at a line's beginning by their first characters, as many of KEYS as they have.
        anywhere: (bit, phrase, rule) of the phrases that may stand anywhere.
        openings: numbers of regexes by first characters, likewise.
        free: (bits, number) of the regexes whose lines may begin with anything; a line that is worth a try has all the bits.
        regexes: all of them, in the order of the rules.
        sieve: which lines are worth a look, and the bits of what they may match.
    """

    whole: dict[str, Rule]
    heads: frozenset[str]
    beginnings: dict[str, tuple[_Beginning, ...]]
    anywhere: tuple[tuple[int, str, Rule], ...]
    openings: dict[str, tuple[int, ...]]
    free: tuple[tuple[int, int], ...]
    regexes: tuple[_Regex, ...]
    sieve: Sieve

    def match(self, folded: str) -> Rule | None:
        """The rule of a folded line: whole phrases, then the longest beginning, phrases anywhere, regexes; of several rules the first."""
        return self._match(folded, ALL)

    def match_all(self, lines: Sequence[str]) -> list[Rule | None]:
        """The rule of each line, as it stands in its text: of one story, or faster of a batch of them.

        The same as `match(fold(line))` of each, but that lines of more than LONGEST characters match none.
        """
        asked = [number for number, line in enumerate(lines) if line and len(line) <= LONGEST]
        found: list[Rule | None] = [None] * len(lines)
        if len(asked) < MANY:
            for number in asked:
                found[number] = self.match(fold(lines[number]))
            return found
        data, offsets = terms.buffers([lines[number] for number in asked])
        for number, rule in self.match_lines(data, offsets[:-1].copy(), offsets[1:].copy()).items():
            found[asked[number]] = rule
        return found

    def match_lines(self, data: Bytes, begins: Starts, ends: Starts) -> dict[int, Rule]:
        """The rules of the lines data[begins[i]:ends[i]] that match one, by number, ascending; none has more than LONGEST characters.

        Args:
            data: uint8[bytes], UTF-8.
            begins, ends: int64[n].
        """
        heads, bits = self.sieve.look(data, begins, ends)
        asked = heads | (bits & np.uint64(sum({bit for bit, _, _ in self.anywhere})) != 0)
        for needed in {needed for needed, _ in self.free}:
            asked |= bits & np.uint64(needed) == np.uint64(needed)
        numbers = np.flatnonzero(asked)
        found: dict[int, Rule] = {}
        rows = zip(numbers.tolist(), begins[numbers].tolist(), ends[numbers].tolist(), bits[numbers].tolist(), strict=True)
        whole, known = data.tobytes(), dict[bytes, Rule | None]()
        for number, begin, end, seen in rows:
            line = whole[begin:end]
            if line not in known:
                known[line] = self._match(fold(line.decode()), seen)
            if rule := known[line]:
                found[number] = rule
        return found

    def _match(self, folded: str, bits: int) -> Rule | None:
        """As `match`, but that of the phrases anywhere and the free regexes only those with the bits are tried."""
        rule = self.whole.get(folded.rstrip(ENDS))
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
        if bits and (rule := next((rule for bit, phrase, rule in self.anywhere if bits & bit and phrase in folded), None)):
            return rule
        tried = {number for head in heads for number in self.openings.get(head, ())}
        tried.update([number for needed, number in self.free if bits & needed == needed and self.regexes[number].may_match(folded)])
        return next((self.regexes[number].rule for number in sorted(tried) if self.regexes[number].regex.match(folded)), None)


def compile_rules(rules: tuple[Rule, ...]) -> Matcher:
    """The rules, ready to match."""
    whole: dict[str, Rule] = {}
    beginnings: dict[str, list[_Beginning]] = {}
    openings: dict[str, list[int]] = {}
    anywhere: list[tuple[str, Rule]] = []
    regexes: list[_Regex] = []
    free: list[int] = []
    begun: set[str] = set()
    for number, rule in enumerate(rules):
        for phrase in rule.phrases:
            folded = fold(phrase.removeprefix("...").removesuffix("...")).rstrip(ENDS)
            if not phrase.endswith(":..."):
                whole.setdefault(folded, rule)
            if phrase.startswith("..."):
                anywhere.append((folded, rule))
            elif phrase.endswith("..."):
                for end in _COLONS if phrase.endswith(":...") else ("",):
                    spaced = not end and not _UNSPACED.match(folded[-1])
                    one = _Beginning(folded + end, rule, number, spaced, heads=rule.kind in ("rest", "block"))
                    beginnings.setdefault(_key(folded + end), []).append(one)
                    begun.add(folded + end)
        for regex in rule.regexes:
            looks, bare, needs, no_sentence = _read_needs(regex)
            first = _first_literals(bare)
            begun.update(first or ())
            for key in sorted({_key(literal) for literal in first or ()}):
                openings.setdefault(key, []).append(len(regexes))
            if first is None:
                free.append(len(regexes))
            regexes.append(_Regex(re.compile(regex if first else looks + bare), rule, needs, no_sentence))
    needed = [(number, need) for number in free for need in regexes[number].needs]
    bits = [1 << place % REGEX_BITS for place in range(len(needed))]
    spoken = {bit for bit, (number, _) in zip(bits, needed, strict=True) if not regexes[number].no_sentence}
    inside = tuple((1 << REGEX_BITS + place % (BITS - REGEX_BITS), phrase, rule) for place, (phrase, rule) in enumerate(anywhere))
    signs = [(bit, sign) for bit, (_, need) in zip(bits, needed, strict=True) for sign in need]
    return Matcher(
        whole=whole,
        heads=frozenset([*beginnings, *openings]),
        beginnings={key: tuple(found) for key, found in beginnings.items()},
        anywhere=inside,
        openings={key: tuple(found) for key, found in openings.items()},
        free=tuple((sum({bit for bit, (of, _) in zip(bits, needed, strict=True) if of == number}), number) for number in free),
        regexes=tuple(regexes),
        sieve=Sieve(
            frozenset(begun),
            frozenset(whole),
            (*signs, *((bit, phrase) for bit, phrase, _ in inside)),
            stops=sum(set(bits) - spoken),
        ),
    )


def _goes_on(sign: str) -> bool:
    """The sign goes on with the word before it, as letters and digits do, but for scripts that put no space between words."""
    return sign.isalnum() and not _UNSPACED.match(sign)


def _key(literal: str) -> str:
    return literal[: next((size for size in KEYS if len(literal) >= size), 0)]


# ---- how the lines of a regex begin --------------------------------------------------------------------------------------


def _read_needs(regex: str) -> tuple[str, str, tuple[tuple[str, ...], ...], bool]:
    """The regex in two parts, lookaheads at its beginning and the rest; signs or words of each list of which a line must hold one (a line
    feed stands for its end); that it is no sentence. What the last two say is not left in the lookaheads.

    >>> _read_needs("(?=.*[/|])(?=.*(?:ap|by))(?=.*[)]$)(?!.*[.!?]$)(?!x).+ap$")
    ('(?!x)', '.+ap$', (('/', '|'), ('ap', 'by'), (')\\n',)), True)
    """
    looks = ""
    needs: list[tuple[str, ...]] = []
    no_sentence = False
    while regex.startswith(("(?=", "(?!")):
        if regex.startswith(_NO_SENTENCE):
            no_sentence, regex = True, regex.removeprefix(_NO_SENTENCE)
        elif match := _NEEDS.match(regex):
            signs = match["signs"] or [re.sub(r"\\(.)", r"\1", word) for word in re.split(r"(?<!\\)\|", match["words"])]
            needs.append(tuple(sign + "\n" if match["end"] else sign for sign in signs))
            regex = regex[match.end() :]
        else:
            end = _closing(regex) + 1
            looks, regex = looks + regex[:end], regex[end:]
    return looks, regex, tuple(needs), no_sentence


def _first_literals(regex: str) -> tuple[str, ...] | None:
    """Literals with one of which every line that the regex matches begins; None when it may begin with anything.

    >>> _first_literals("(?:see|read) (?:on|more)|by [a-z]"), _first_literals("a?b"), _first_literals(".")
    (('see on', 'see more', 'read on', 'read more', 'by '), None, None)
    """
    found = tuple(literal for branch in _branches(regex) for literal, _ in _expand(branch))
    return found if all(found) else None


def _expand(branch: str) -> list[tuple[str, bool]]:
    """The literals with which an alternative may begin, and of each whether it is all of it."""
    literal, size = _literal(branch)
    rest = branch[size:]
    inner = rest[3:] if rest.startswith("(?:") else rest[1:]
    end = _closing(rest) if rest.startswith("(") else 0
    if not end or inner.startswith("?") or rest.startswith(_OPTIONAL, end + 1):
        return [(literal, not rest)]
    begun = [(literal + one, whole) for inside in _branches(rest[len(rest) - len(inner) : end]) for one, whole in _expand(inside)]
    if rest.startswith(("+", "{"), end + 1):
        return [(one, False) for one, _ in begun]
    after = _expand(rest[end + 1 :])
    if len(begun) * len(after) > MOST_HEADS or all(len(one) >= KEYS[0] for one, _ in begun):
        return [(one, False) for one, _ in begun]
    return [ended for one, whole in begun for ended in ([(one + more, done) for more, done in after] if whole else [(one, False)])]


def _literal(branch: str) -> tuple[str, int]:
    """The signs that an alternative begins with before anything but plain signs comes, and where in it that is."""
    literal, size = "", 0
    while size < len(branch):
        escaped = branch[size] == "\\" and not branch[size + 1 :][:1].isalnum()
        if branch[size] in _META and not escaped:
            break
        literal += branch[size + escaped]
        size += 1 + escaped
    return literal[:-1] if branch.startswith(_OPTIONAL, size) else literal, size


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
