"""Pages to stories: what stays, what goes, what the page says of itself; and pages broken by chance or on purpose."""

from __future__ import annotations

import json
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.ingest.html import HugeError, page_text, read_page
from tasks.ingest.page.blocks import CUES, cue_bit, read_blocks, read_cues
from tasks.ingest.page.choose import WEIGHTS
from tasks.ingest.page.facts import load_leniently, read_facts
from tasks.ingest.page.trees import parse_page

CASES = Path(__file__).parent / "cases/html"
PAGES = sorted((CASES / "pages").glob("*.html"))
FACTS = json.loads((CASES / "facts.json").read_text(encoding="utf-8"))
SENTENCE = "The harbour council voted on Monday to close the old swing bridge for two years while engineers replace its bearings. "
PARAGRAPH = f"<p>{SENTENCE * 2}</p>"


def marked(path: Path, case: str) -> list[str]:
    """Texts of the elements of a page that carry data-case."""
    tree = parse_page(path.read_text(encoding="utf-8"))
    assert tree is not None
    return [" ".join("".join(one.itertext()).split()) for one in tree.iter() if one.get("data-case") == case]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_what_stays_and_what_goes(path: Path) -> None:
    text = " ".join(read_page(path.read_text(encoding="utf-8"), "balanced").text.split())
    assert [kept for kept in marked(path, "keep") if kept not in text] == []
    assert [dropped for dropped in marked(path, "drop") if dropped in text] == []


def test_a_paragraph_is_a_line_and_two_breaks_part_paragraphs() -> None:
    text = read_page((CASES / "pages/breaks_without_paragraphs.html").read_text(encoding="utf-8"), "balanced").text
    assert [line.split()[0] for line in text.split("\n") if not line.startswith("Bergbahn")] == ["Die", "Das", "Ein", "Die"]


def test_a_story_that_scripts_would_show() -> None:
    page = read_page((CASES / "pages/state_only.html").read_text(encoding="utf-8"), "balanced")
    assert [line.split()[1] for line in page.text.split("\n")] == ["ropeway", "had", "piano"]
    assert "with ladders and much patience" in page.text


def test_a_declared_body_where_the_page_shows_none() -> None:
    body = json.dumps({"@type": "NewsArticle", "headline": "Bridge closes", "articleBody": f"{SENTENCE * 3}\n\n{SENTENCE * 2}"})
    page = read_page(
        f'<html><head><script type="application/ld+json">{body}</script></head><body><div id="app"></div></body></html>', "balanced"
    )
    assert page.text.count("\n") == 1
    assert page.title == "Bridge closes"


@pytest.mark.parametrize("case", FACTS, ids=lambda case: case["label"])
def test_facts(case: dict[str, Any]) -> None:
    tree = parse_page(f"<html><head>{case['head']}</head><body>{PARAGRAPH * 3}</body></html>")
    facts = read_facts(tree, thorough=True)
    assert {name: getattr(facts, name) for name in case["facts"]} == case["facts"]


def test_language_of_the_root_goes_first() -> None:
    page = read_page(
        f'<html lang="sv"><head><meta property="og:locale" content="en_US"></head><body>{PARAGRAPH * 3}</body></html>', "balanced"
    )
    assert page.language == "sv"


def test_cues_find_what_they_say() -> None:
    for cue in tomllib.loads(CUES.read_text(encoding="utf-8"))["cue"]:
        assert cue["why"]
        assert [name for name in cue["takes"] if not read_cues(name) & cue_bit(cue["id"])] == [], cue["id"]
        assert [name for name in cue["leaves"] if read_cues(name) & cue_bit(cue["id"])] == [], cue["id"]


def test_the_weights_have_their_record() -> None:
    model = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    assert set(model) == {"about", "trained_on", "penalty", "cross_validated", "fitted", "first", "second", "neighbours"}
    assert model["cross_validated"]


XHTML = (
    '<?xml version="1.0" encoding="iso-8859-1"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">'
    f'<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="fi"><head><title/><script src="x"/></head><body>{PARAGRAPH * 4}</body></html>'
)
ENTITIES = (
    '<!DOCTYPE html [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY x SYSTEM "file:///etc/hostname">]>'
    f"<html><body><p>&b;&x;</p>{PARAGRAPH * 4}</body></html>"
)
WITH_STORY = {
    "cut in a tag": f"<html><body><article>{PARAGRAPH * 4}<p"[:-1],
    "cut in a paragraph": f"<html><body><article>{PARAGRAPH * 4}"[:-60],
    "script never closed": f"<html><body>{PARAGRAPH * 4}<script>var x = 1;",
    "comment never closed": f"<html><body>{PARAGRAPH * 4}<!-- never closed {PARAGRAPH}",
    "XHTML": XHTML,
    "prefixed elements": "<h:html><h:body>" + PARAGRAPH.replace("<p", "<h:p").replace("</p", "</h:p") * 4 + "</h:body></h:html>",
    "control characters": f"<html><body>{PARAGRAPH * 2}\0\x01\x02\ud800{PARAGRAPH * 2}",
    "nested ten thousand deep": "<html><body>" + "<div>" * 10_000 + PARAGRAPH * 4 + "</div>" * 10_000,
    "tables in tables": "<table><tr><td>" * 3_000 + PARAGRAPH * 4,
    "lists in lists": "<ul><li>" * 5_000 + PARAGRAPH * 4,
    "entities": ENTITIES,
    "data never closed": '<html><head><script type="application/ld+json">{"a": '
    + '"\\' * 100_000
    + f"</script></head><body>{PARAGRAPH * 4}",
    "data of brackets": '<html><head><script type="application/ld+json">' + "[" * 100_000 + f"</script></head><body>{PARAGRAPH * 4}",
    "data of comments": '<html><head><script type="application/ld+json">{"a": "'
    + "/*" * 100_000
    + f"</script></head><body>{PARAGRAPH * 4}",
    "endless class": f'<html><body><div class="{"related-" * 40_000}"></div>{PARAGRAPH * 4}',
    "preformatted": f"<html><body><pre>{SENTENCE * 5}</pre></body></html>",
}
WITHOUT_STORY = {
    "empty": "",
    "no tag": "just text",
    "half a tag": "<p",
    "doctype": "<!DOCTYPE html>",
    "empty body": "<html><head><title>Nothing here</title></head><body></body></html>",
    "frames": '<html><frameset cols="1,2"><frame src="a"><frame src="b"><noframes>No frames</noframes></frameset></html>',
    "feed": f'<?xml version="1.0"?><rss version="2.0"><channel><item><title>A</title><description>{SENTENCE * 3}</description></item></channel></rss>',
    "links": "<html><body>" + '<a href="/x">Home and away</a> <br>' * 200 + "</body></html>",
}


@pytest.mark.parametrize("html", WITH_STORY.values(), ids=WITH_STORY.keys())
def test_broken_pages_keep_their_story(html: str) -> None:
    start = time.process_time()
    text = read_page(html, "balanced").text
    assert SENTENCE.strip() in text
    assert "hostname" not in text
    assert time.process_time() - start < 5


@pytest.mark.parametrize("html", WITHOUT_STORY.values(), ids=WITHOUT_STORY.keys())
def test_pages_without_a_story(html: str) -> None:
    assert read_page(html, "balanced").text == ""
    assert isinstance(page_text(html), str)


@pytest.mark.parametrize(
    "html",
    [
        f"<html><body><article>{PARAGRAPH * (2_400_000 // len(PARAGRAPH))}</article></body></html>",
        "<html><body>" + '<div class="a b c">x</div>' * 19_000 + "</body></html>",
        f"<html><body><script>{'var x = 1;' * 4_000_000}</script>{PARAGRAPH * 4}</body></html>",
    ],
    ids=["paragraphs", "elements", "scripts"],
)
def test_gigantic_pages_take_bounded_time(html: str) -> None:
    start = time.process_time()
    read_page(html, "balanced")
    assert time.process_time() - start < 5  # 0.5 to 2 s on a quiet machine


def test_a_page_longer_than_any_is_refused_and_says_so() -> None:
    with pytest.raises(HugeError, match=r"4,000,0.. characters without scripts"):
        read_page("<p>" + "x" * 4_000_000, "balanced")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<div class='related'>",
                "</div>",
                "<a href=x>",
                "</a>",
                "<br>",
                "<li>",
                "<b>",
                "</b>",
                "word ",
                "One. ",
                "<!--",
                "-->",
                "&amp;",
                "<table>",
                "<td>",
            ]
        ),
        max_size=60,
    )
)
def test_no_markup_breaks_the_blocks(parts: list[str]) -> None:
    html = "<html><body>" + "".join(parts) + "</body></html>"
    tree = parse_page(html)
    assert tree is not None
    for block in read_blocks(tree).blocks:
        assert block.text == " ".join(block.text.split())
        assert 0 <= block.linked <= block.words
    assert read_page(html, "balanced") == read_page(html, "balanced")


@pytest.mark.parametrize("text", ['{"a": 1,}', '<!-- {"a": 1} -->', '{"a": 1 /* one */}', '{"a": 1} ;', '// <![CDATA[\n{"a": 1}\n// ]]>'])
def test_json_as_pages_write_it(text: str) -> None:
    assert load_leniently(text) == {"a": 1}


def test_what_is_favoured_when_unclear() -> None:
    html = (CASES / "pages/boxes_between.html").read_text(encoding="utf-8")
    lengths = [len(read_page(html, focus).text) for focus in ("precision", "balanced", "recall")]
    assert lengths == sorted(lengths)
