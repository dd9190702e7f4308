"""Rules as data: what they take and leave, how files of them are read, that the fast way of matching is the plain one."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import boilerplate
from tasks.boilerplate import rules as room
from tasks.boilerplate import sieve
from tasks.boilerplate.rules import LANGUAGES, LONGEST, Matcher, Rule, RulesError, compile_rules, fold, load_rules
from tasks.settings import Strip

RULES = load_rules()
MATCHER = compile_rules(RULES)
PARAGRAPHS = (
    "Dock workers in the port voted on Monday to continue their strike.\nThe company said it was ready to talk, but only about the rota."
)
OWN_RULE = """
[[rule]]
id = "own"
why = "a test"
kind = "line"
phrases = ["Heave ho"]
strips = ["Heave ho!"]
keeps = ["Ho"]
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(text, encoding="utf-8")
    return path


# ---- what they take and leave ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_takes_and_leaves_its_examples(rule: Rule) -> None:
    for line in rule.strips:
        assert MATCHER.match(fold(line)) == rule, line
    alone = compile_rules((rule,))
    for line in rule.keeps:
        assert alone.match(fold(line)) is None, line


@pytest.mark.parametrize("file", sorted(LANGUAGES.glob("*.toml")), ids=lambda file: file.stem)
def test_every_language_has_examples_for_every_rule(file: Path) -> None:
    for name, table in room._tables(file).items():
        assert table["strips"], name
        assert table["keeps"], name


def test_no_line_of_prose_in_any_language_is_taken() -> None:
    """The lines that one rule must leave are lines of stories: no rule takes those that end a sentence, none of them whole."""
    taken = [line for rule in RULES for line in rule.keeps if len(line) > 40 and MATCHER.match(fold(line)) and line.endswith(".")]
    assert taken == []


# ---- the fast way is the plain way -----------------------------------------------------------------------------------


def plain(rules: tuple[Rule, ...], folded: str) -> Rule | None:
    """What a folded line matches, rule by rule."""
    bare = [
        (phrase, fold(phrase.removeprefix("...").removesuffix("...")).rstrip(sieve.ENDS), rule) for rule in rules for phrase in rule.phrases
    ]
    for phrase, text, rule in bare:
        if folded.rstrip(sieve.ENDS) == text and not phrase.endswith(":..."):
            return rule
    if not folded:
        return None
    begun = []
    for phrase, text, rule in bare:
        for end in room._COLONS if phrase.endswith(":...") else ("",) if phrase.endswith("...") and not phrase.startswith("...") else ():
            rest = folded[len(text + end) :]
            heading = rule.kind not in ("rest", "block") or (len(folded) <= room.HEADING and folded[-1] not in ".。")
            if (
                folded.startswith(text + end)
                and heading
                and not (not end and not room._UNSPACED.match(text[-1]) and room._goes_on(rest[:1]))
            ):
                begun.append((len(text + end), -rules.index(rule)))
    if begun:
        return rules[-max(begun)[1]]
    for phrase, text, rule in bare:
        if phrase.startswith("...") and text in folded:
            return rule
    return next((rule for rule in rules for regex in rule.regexes if re.match(regex, folded)), None)


SMALL = (
    Rule("own", "", "line", "any", (), ("of the port...", "a"), ("(?=.*[|])x|y+z",), (), ()),
    *(rule for rule in RULES if rule.id in ("photo-caption", "photo-credit", "author-box", "copyright", "related-end", "share", "tags")),
)
LIMIT = {rule.id: Rule(rule.id, "", rule.kind, rule.zone, (), rule.phrases[:200], rule.regexes, rule.strips, rule.keeps) for rule in SMALL}
SMALL = tuple(LIMIT.values())
QUICK = compile_rules(SMALL)
LINES = [line for rule in SMALL for line in (*rule.strips, *rule.keeps)]
SPOKEN = st.lists(
    st.one_of(
        st.sampled_from(LINES),
        st.sampled_from(
            [
                "the port of Riga was closed ",
                "(AP Photo/",
                "©",
                "All rights reserved.",
                " | ",
                "reporter for the",
                "is a reporter",
                "Image: ",
                "Getty Images",
                "(photo by Ana Example)",
                "İ",
                "ß",
                "…",
                "\u2003",
                "\t. ",
            ]
        ),
        st.text(max_size=12),
    ),
    max_size=12,
).map(" ".join)


@given(SPOKEN)
def test_one_line_is_matched_as_rule_by_rule(line: str) -> None:
    assert QUICK.match(fold(line)) == plain(SMALL, fold(line))


@settings(deadline=None)  # the first call imports pyarrow
@given(st.lists(SPOKEN, max_size=8), st.booleans())
def test_many_lines_are_matched_as_one_by_one(lines: list[str], many: bool) -> None:
    whole = lines + [f"{number} dock workers in the port." for number in range(room.MANY)] * many
    assert QUICK.match_all(whole) == [QUICK.match(fold(line)) if len(line) <= LONGEST else None for line in whole]


def test_the_sieve_folds_every_sign_as_fold_does() -> None:
    folds, edges = sieve._tables()
    for code in (*range(0xD800), *range(0xE000, 0x110000)):
        sign = chr(code)
        if folds[code]:
            assert fold(f"x{sign}x") == f"x{chr(folds[code])}x", hex(code)
        assert (fold(f"{sign}x") == "x") == (edges[code] > 0), hex(code)


def test_all_rules_at_once_match_their_examples() -> None:
    lines = [line for rule in RULES for line in (*rule.strips, *rule.keeps)]
    long = [f"{line} {PARAGRAPHS.replace(chr(10), ' ')}" for line in lines]
    for some in (lines, long, [line.upper() for line in long]):
        assert MATCHER.match_all(some) == [MATCHER.match(fold(line)) if len(line) <= LONGEST else None for line in some]


def test_every_built_in_regex_says_what_its_lines_begin_with_or_hold() -> None:
    """Else no line could be passed over, and matching would take ten times as long."""
    assert [MATCHER.regexes[number].regex.pattern for needed, number in MATCHER.free if not needed] == []


@pytest.mark.parametrize(
    "line",
    [
        *("a " * 200, "a. " * 130, "a/" * 200, "x " * 200, "# " * 200, "(" * 400, "a (" * 130, "a | " * 100, "ana " * 100, "photo: " * 57),
        *("by a, " * 66, "(photo) " * 50, "share # " * 50, "reporter is a " * 28, "ana example is a reporter, " * 15, "the ap/" * 57),
    ],
)
def test_no_regex_is_slow_on_any_line(line: str) -> None:
    for regex in MATCHER.regexes:
        start = time.perf_counter()
        regex.regex.match(line[:LONGEST])
        assert time.perf_counter() - start < 0.05, regex.regex.pattern


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rule = 1", "must hold"),
        ("rules = 1", "unknown key 'rules'"),
        ("disable = 'share'", "must be a list"),
        ("disable = ['sharing']", "disables 'sharing', which is no built-in rule"),
        (OWN_RULE.replace('"own"', '"share"'), "give it another id, or put that in disable"),
        ("[[rule]]\nwhy = 'x'\nkind = 'line'", "rule number 1 needs id"),
        ("[[rule]]\nid = 'a'\nwhy = 'x'\nkind = 'gone'", "rule 'a' has kind = 'gone'; allowed are line, block"),
        ("[[rule]]\nid = 'a'\nwhy = 'x'\nkind = 'line'\nzone = 'foot'", "rule 'a' has zone = 'foot'; allowed are any, margin"),
        ("[[rule]]\nid = 'a'\nwhy = 'x'\nkind = 'line'\nphrase = ['x']", "rule 'a' has the unknown key 'phrase'"),
        ("[[rule]]\nid = 'a'\nwhy = 'x'\nkind = 'line'\nphrases = 'x'", "rule 'a' has phrases = 'x'; it must be a list"),
        ("[[rule]]\nid = 'a'\nwhy = 'x'\nkind = 'line'", "rule 'a' needs phrases or regexes"),
        ("[[rule]]\nid = 'a'\nwhy = 'x'\nkind = 'line'\nphrases = ['x']\nstrips = ['x']", "rule 'a' needs strips and keeps"),
        ("[[rule]]\nid = 'a'\nwhy = 'x'\nkind = 'line'\nregexes = ['(']\nstrips = ['x']\nkeeps = ['y']", "rule 'a' has the regex '\\('"),
        ("[[rule]]\nid = 'a'\nwhy = 'x'\nkind = 'line'\nphrases = ['...']\nstrips = ['x']\nkeeps = ['y']", "nothing is left to match"),
        ("[[rule]]\nid = 'a'\nwhy = 'x'\nkind = 'line'\nphrases = ['x...y']\nstrips = ['x']\nkeeps = ['y']", "may stand at its end"),
        ("not toml", "is not TOML"),
    ],
)
def test_rules_that_cannot_be_used_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RulesError, match=message):
        load_rules(written(tmp_path, text))


def test_two_rules_may_not_share_an_id(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="two rules are called 'own'"):
        load_rules(written(tmp_path, OWN_RULE + OWN_RULE))


def taken(path: Path, text: str) -> list[str]:
    return [entry["rule"] for entry in boilerplate.strip_text(text, Strip.model_validate({"rules": str(path)})).removed]


def test_own_rules_are_added_and_come_first(tmp_path: Path) -> None:
    text = f"{PARAGRAPHS}\nHeave ho!\nShare"
    assert taken(written(tmp_path, OWN_RULE), text) == ["own", "share"]
    assert taken(written(tmp_path, OWN_RULE.replace("Heave ho", "Share")), text) == ["own"]


def test_built_in_rules_can_be_switched_off(tmp_path: Path) -> None:
    text = f"{PARAGRAPHS}\nHeave ho!\nShare"
    assert taken(written(tmp_path, 'disable = ["share"]' + OWN_RULE), text) == ["own"]
    assert taken(written(tmp_path, 'disable = ["share"]' + OWN_RULE.replace('"own"', '"share"')), text) == ["share"]
    assert taken(written(tmp_path, 'disable = ["share"]'), text) == []


def test_a_matcher_of_no_rules_matches_nothing() -> None:
    empty: Matcher = compile_rules(())
    assert empty.match_all(["Share", "", "x" * 500]) == [None, None, None]


def test_rules_of_a_file_are_compiled_again_when_it_changes(tmp_path: Path) -> None:
    path = str(written(tmp_path, OWN_RULE))
    first = boilerplate._matcher(path)
    assert boilerplate._matcher(path) is first
    written(tmp_path, OWN_RULE.replace("Heave ho", "Heave to"))
    assert boilerplate._matcher(path).match("heave to") == boilerplate._matcher(path).match("heave to") != first.match("heave to")
