"""Rules as data: what furniture says, in which language, and what happens to the lines that say it."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

Kind = Literal["line", "block", "rest", "end", "byline", "agency"]
Zone = Literal["any", "margin"]

BUILT_IN = Path(__file__).parent.parent / "boilerplate.toml"
LONGEST = 400  # code points; no rule looks at a longer line

_KEYS = {"id", "why", "kind", "zone", "languages", "phrases", "regexes", "strips", "keeps"}
_NUMBER = re.compile(r"\d+(?:[.,:'’]\d+)*")
_DIGIT = re.compile(r"\d")
_PLAIN = (
    *(("‘", "'"), ("’", "'"), ("‚", "'"), ("ʼ", "'"), ("“", '"'), ("”", '"'), ("„", '"'), ("–", "-"), ("—", "-")),
    *(("…", "..."), ("＋", "+"), ("\u00a0", " "), ("\u202f", " "), ("\u2009", " "), ("\u3000", " ")),
    ("i\u0307", "i"),  # the casefold of Turkish İ
)
_ENDS = " .!?。！？\"')]）】」"
_EDGES = " \t,:;·•|*>»›→▶►↓+-_~=/\\([<«‹←▼▲✓×\"'\u200b\ufeff：、「【（"


class RulesError(ValueError):
    """Rules that cannot be used; the text names the rule, the key and what is allowed."""


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


def load_rules(path: Path | None = None) -> tuple[Rule, ...]:
    """The rules of a TOML file (`[[rule]]` tables), the built-in ones without a path. The first rule that matches a line wins.

    Raises:
        RulesError: the file cannot be read, or a rule has an unknown key, lacks one, or has a pattern that does not compile.
    """
    path = path or BUILT_IN
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RulesError(f"rules: {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RulesError(f"rules: {path} is not TOML: {error}") from error
    written = tables.get("rule")
    if set(tables) != {"rule"} or not isinstance(written, list):
        raise RulesError(f"rules: {path} must hold [[rule]] tables and nothing else")
    rules = tuple(_rule(number, table) for number, table in enumerate(written, start=1))
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            raise RulesError(f"rules: two rules are called {rule.id!r}; give one of them another id")
        seen.add(rule.id)
    return rules


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
    lists = {key: _texts(name, key, table.get(key, [])) for key in ("languages", "phrases", "regexes", "strips", "keeps")}
    rule = Rule(table["id"], table["why"], table["kind"], table.get("zone", "any"), **lists)
    _check_patterns(name, rule)
    return rule


def _check_patterns(name: str, rule: Rule) -> None:
    if not rule.phrases and not rule.regexes:
        raise RulesError(f"rules: {name} needs phrases or regexes, or it never matches")
    if not rule.strips or not rule.keeps:
        raise RulesError(f"rules: {name} needs strips and keeps, examples of lines that it matches and must leave alone")
    for regex in rule.regexes:
        try:
            groups = re.compile(regex).groups
        except re.error as error:
            raise RulesError(f"rules: {name} has the regex {regex!r}, which does not compile: {error}") from error
        if rule.kind == "byline" and groups != 1:
            raise RulesError(f"rules: {name} has the regex {regex!r}; a byline's needs one group, which holds the names")
    for phrase in rule.phrases:
        if not fold(phrase.removeprefix("...").removesuffix("...")):
            raise RulesError(f"rules: {name} has the phrase {phrase!r}, of which nothing is left to match")


def _texts(name: str, key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise RulesError(f"rules: {name} has {key} = {value!r}; it must be a list of texts")
    return tuple(value)


def fold(line: str) -> str:
    """The line as regexes see it: lower case, one space, plain quotes and dashes, '#' for numbers, bare of edge signs but sentence ends.

    >>> fold("  » 1,204 Comments: ")
    '# comments'
    """
    folded = line.casefold()
    if not folded.isascii():
        for sign, plain in _PLAIN:  # five times as fast as str.translate
            if sign in folded:
                folded = folded.replace(sign, plain)
    if _DIGIT.search(folded):
        folded = _NUMBER.sub("#", folded)
    if "  " in folded or "\t" in folded:
        folded = " ".join(folded.split())
    return folded.strip(_EDGES).lstrip(_ENDS)


@dataclass(frozen=True, slots=True)
class Matcher:
    """Rules in the form that is fast to ask: whole phrases and phrase beginnings by look-up, regexes in one alternation a rule."""

    whole: dict[str, Rule]
    beginnings: dict[str, tuple[tuple[str, Rule], ...]]
    anywhere: tuple[tuple[str, tuple[tuple[str, Rule], ...]], ...]
    regexes: tuple[tuple[re.Pattern[str], Rule], ...]
    any_regex: re.Pattern[str]

    def match(self, folded: str) -> Rule | None:
        """The first rule that matches a folded line: whole phrases, beginnings, phrases anywhere, regexes."""
        rule = self.whole.get(folded.rstrip(_ENDS))
        if rule is not None or not folded:
            return rule
        for beginning, rule in self.beginnings.get(_first_word(folded), ()):
            if folded.startswith(beginning) and not folded[len(beginning) : len(beginning) + 1].isalnum():
                return rule
        for word, phrases in self.anywhere:
            if word in folded and (rule := next((rule for phrase, rule in phrases if phrase in folded), None)):
                return rule
        if self.any_regex.match(folded):
            return next(rule for regex, rule in self.regexes if regex.match(folded))
        return None


def compile_rules(rules: tuple[Rule, ...]) -> Matcher:
    """The rules, ready to match."""
    whole: dict[str, Rule] = {}
    beginnings: dict[str, list[tuple[str, Rule]]] = {}
    anywhere, regexes = [], []
    for rule in rules:
        for phrase in rule.phrases:
            folded = fold(phrase.removeprefix("...").removesuffix("...")).rstrip(_ENDS)
            whole.setdefault(folded, rule)
            if phrase.startswith("..."):
                anywhere.append((folded, rule))
            elif phrase.endswith("..."):
                beginnings.setdefault(_first_word(folded), []).append((folded, rule))
        if rule.regexes:
            regexes.append((re.compile("|".join(f"(?:{regex})" for regex in rule.regexes)), rule))
    every = "|".join(_sources(rules)) or "(?!)"
    return Matcher(
        whole=whole,
        beginnings={word: tuple(found) for word, found in beginnings.items()},
        anywhere=_group(anywhere),
        regexes=tuple(regexes),
        any_regex=re.compile(every),
    )


def _first_word(folded: str) -> str:
    return folded.partition(" ")[0].rstrip(".,:;!?")


def _group(phrases: list[tuple[str, Rule]]) -> tuple[tuple[str, tuple[tuple[str, Rule], ...]], ...]:
    """The phrases under a long word that they share, so that most lines are asked for a dozen words and no phrase."""
    counts = Counter(word for phrase, _ in phrases for word in set(phrase.split()))
    groups: dict[str, list[tuple[str, Rule]]] = {}
    for phrase, rule in phrases:
        key = max(phrase.split(), key=lambda word: (len(word) >= 5, counts[word], len(word)))
        groups.setdefault(key, []).append((phrase, rule))
    return tuple((word, tuple(found)) for word, found in groups.items())


def _sources(rules: tuple[Rule, ...]) -> Iterator[str]:
    return (f"(?:{regex})" for rule in rules for regex in rule.regexes)
