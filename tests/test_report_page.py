"""The report and the Data Docs in a browser: found, filtered, linked to, steered by keys, readable for everybody, and without a network."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chromium
import inline
import pyarrow.parquet as pq
import pytest
from conftest import ROOT

from tasks import overrides, snapshots

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = [pytest.mark.browser, pytest.mark.prefect]

SECTIONS = ("overview", "news", "clusters", "sources", "removed", "repairs", "quarantine", "run")
SCHEMES = ("light", "dark")
FERRY, FLOOD = "Trawler and tug save drifting ferry", "Revealed: one in three Estwick flood gates"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.browser() as started:
        yield started


@pytest.fixture(scope="module")
def snapshot(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample stories, curated twice: the second time there are two more, and an editor's word."""
    del browser  # without one nothing need be curated
    folder = tmp_path_factory.mktemp("page")
    raw, curated, word = shutil.copytree(ROOT / "raw", folder / "raw"), folder / "curated", folder / "overrides.toml"
    late = [raw / "calder-daily/flood-barrier-leaked-report.txt", raw / "granite-valley-radio/gondola-night.txt"]
    for path in late:
        path.rename(folder / path.name)
    with inline.inline():
        first = inline.run(raw, curated)
        for path in late:
            (folder / path.name).rename(path)
        (ferry, *_) = pq.read_table(first.snapshot / "decisions", filters=[("relation", "==", "near")]).to_pylist()
        told = {"kind": "same", "stories": [ferry["story_id"], ferry["duplicate_of"]], "who": "mira", "why": "one desk", "relation": "near"}
        overrides.add(word, overrides.of_json(told))
        overrides.add(word, overrides.of_json({"kind": "line", "text": "Nobody has this line", "boilerplate": True}))
        inline.run(raw, curated, f"overrides.file={word}")
    found = snapshots.latest(curated)
    assert found is not None
    return found


Opened = Callable[..., "Page"]


@pytest.fixture
def opened(browser: Browser, snapshot: Path) -> Iterator[Opened]:
    """Opens the report, or another page of the snapshot, from the disk; at the end nothing may have gone wrong on it or left the disk."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def open_page(address: str = "", page: str = "report/index.html", **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce", **options})
        contexts.append(context)
        shown = context.new_page()
        shown.on("console", lambda message: wrong.append(message.text))
        shown.on("pageerror", lambda error: wrong.append(str(error)))
        shown.on("request", lambda request: None if request.url.startswith("file:") else wrong.append(request.url))
        shown.on("requestfailed", lambda request: wrong.append(request.url))
        shown.goto((snapshot / page).as_uri() + address)
        return shown

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def cluster(snapshot: Path, title: str) -> dict[str, Any]:
    """What the data say of the cluster of that headline."""
    told = (snapshot / "report/data/000.js").read_text(encoding="utf-8")
    listed = json.loads(told.removeprefix("copydesk.push(0, ").removesuffix(")\n"))["clusters"]
    return next(one for one in listed if one["title"].startswith(title))


def titles(page: Page) -> list[str]:
    """Of the clusters in the list."""
    return page.locator("#list b").all_inner_texts()


def address(page: Page) -> str:
    """What the address says now; page.url may be a moment behind."""
    return str(page.evaluate("location.hash"))


def serious(page: Page) -> list[str]:
    """What axe finds seriously wrong."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe here").Axe()
    options = {"resultTypes": ["violations"], "preload": False}  # it would fetch the styles, which the page's policy does not let it
    found = axe.run(page, options=options).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in ("serious", "critical")]


def test_it_opens_from_the_disk_with_pictures_and_numbers(opened: Opened) -> None:
    page = opened()
    assert page.locator("h1").inner_text() == "18 stories kept"
    assert page.locator("#funnel svg").is_visible()
    assert page.locator("#trend svg").is_visible()
    assert "28" in page.locator("#funnel").inner_text()
    for number, section in enumerate(SECTIONS, start=1):
        page.keyboard.press(str(number))
        assert page.locator("#sections a[aria-current=page]").get_attribute("href") == f"#{section}"
        assert page.locator("main h1").first.is_visible()
    for words in ("Gates", "Passed over", "The last snapshots", "conservation"):
        assert words in page.locator("main").inner_text()


def test_each_section_shows_what_there_is(opened: Opened) -> None:
    page = opened("#removed")
    for words in ("LEAVE A REPLY", "asks the reader to subscribe", "furniture"):
        assert words in page.locator("main").inner_text()
    page.keyboard.press("6")
    assert page.locator("del").first.inner_text() != page.locator("ins").first.inner_text()
    page.keyboard.press("7")
    assert "damaged archive" in page.locator("main").inner_text()
    page.keyboard.press("4")
    assert "Tidewire" in page.locator("main").inner_text()
    page.get_by_role("link", name="Tidewire").click()
    assert [title[:10] for title in titles(page)] == [FERRY[:10]]


def test_a_link_leads_to_its_cluster(opened: Opened, snapshot: Path) -> None:
    one = cluster(snapshot, FERRY)
    page = opened(f"#cluster={one['id']}")
    assert page.locator("#cluster .title").inner_text().startswith(FERRY)
    assert page.locator(".story").count() == 2
    assert page.locator("#list a[aria-current]").get_attribute("data-id") == one["id"]
    kept, member = ("".join(page.locator(".story").nth(side).locator("mark[data-passage='1']").all_inner_texts()) for side in (0, 1))
    assert kept == member
    assert len(kept) > 40
    page.goto(page.url.partition("#")[0] + "#cluster=0123")
    assert "copydesk explain 0123" in page.locator("#cluster").inner_text()


def test_search_filter_and_keys_find_a_cluster(opened: Opened) -> None:
    page = opened("#clusters")
    every = titles(page)
    assert len(every) == 4
    page.keyboard.press("/")
    page.keyboard.type("ÉSTWICK gates")
    assert [title.startswith(FLOOD) for title in titles(page)] == [True]
    assert "q=" in address(page)
    page.keyboard.press("Control+a")
    page.keyboard.type("electrical cabinet")  # in the texts only
    page.wait_for_selector(f"#list li:only-child b:has-text('{FERRY}')")
    page.keyboard.press("Escape")
    assert (titles(page), "q=" in address(page)) == (every, False)
    page.keyboard.press("Escape")
    page.locator("#relation").select_option("derivative")
    assert 0 < len(titles(page)) < 4
    assert "relation=derivative" in address(page)
    page.locator("#relation").select_option("")
    page.locator("#order").focus()
    page.locator("#order").select_option("size")
    assert titles(page)[0].startswith(FERRY)
    page.locator("#cluster").focus()
    shown = []
    for key in ("j", "ArrowDown", "j", "k"):
        page.keyboard.press(key)
        shown.append(page.locator("#list a[aria-current] b").inner_text())
    assert shown == [titles(page)[place] for place in (0, 1, 2, 1)]
    page.keyboard.press("k")
    page.wait_for_selector(f"#cluster .title:has-text('{FERRY}')")
    first = page.locator(".members a[aria-current]").inner_text()
    page.keyboard.press("n")
    assert page.locator(".members a[aria-current]").inner_text() != first
    page.keyboard.press("p")
    assert page.locator(".members a[aria-current]").inner_text() == first
    page.keyboard.press("Escape")
    assert "cluster=" not in address(page)
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()


def test_an_address_with_a_mistake_leads_somewhere(opened: Opened) -> None:
    for address in ("#toString", "#clusters&order=toString&relation=constructor", "#cluster=%E0%A4%A&q=%", "#__proto__=1", "#=&&"):
        page = opened(address)
        assert page.locator("main h1").first.is_visible(), address


def test_a_part_that_is_missing_is_told(browser: Browser, snapshot: Path) -> None:
    page = browser.new_page()
    page.route("**/001.js", lambda route: route.abort())
    page.goto(f"{(snapshot / 'report/index.html').as_uri()}#clusters")
    page.locator("#list a").first.click()
    page.wait_for_selector("#cluster :text('is missing')")
    page.keyboard.press("/")
    page.keyboard.type("electrical cabinet")
    page.wait_for_selector("#list :text('No cluster matches')")
    page.close()


def test_what_is_new_stands_apart(opened: Opened, snapshot: Path) -> None:
    page = opened("#news")
    changes = json.loads((snapshot / "manifest.json").read_text(encoding="utf-8"))["changes"]
    assert page.locator("#tab-news small").inner_text() == str(sum(changes[kind] for kind in ("added", "changed", "removed", "rekeyed")))
    rows = page.locator("tbody tr").all_inner_texts()
    assert len(rows) == changes["added"] + changes["changed"] > 1
    assert "gondola" in next(row for row in rows if row.startswith("new")).lower()
    page.get_by_role("link", name="changed").click()
    assert page.locator("tbody tr").count() == changes["changed"]
    page.get_by_role("link", name=FLOOD).click()
    page.wait_for_selector("#cluster .title")
    assert page.locator("#list a[aria-current] .anew").inner_text() == "new"
    page.locator("#anew").select_option("yes")
    assert all(page.locator("#list a").nth(place).locator(".anew").count() for place in range(page.locator("#list a").count()))
    assert len(titles(page)) < 4


def test_an_editor_sees_the_word_and_how_to_say_another(opened: Opened, snapshot: Path) -> None:
    page = opened("#run", permissions=["clipboard-read", "clipboard-write"])
    told = page.get_by_role("table", name="Overrides").inner_text()
    assert all(words in told for words in ("obeyed", "mira", "one desk", "matches nothing", "Nobody has this line"))
    decided = pq.read_table(snapshot / "decisions", filters=[("relation", "==", "near")]).to_pylist()
    (row,) = [row for row in decided if row["override"]]
    page.goto(page.url.partition("#")[0] + f"#cluster={row['duplicate_of']}&member={row['story_id']}")
    assert "mira" in page.locator(".verdict .word").inner_text()
    page.get_by_text("Overrule this").click()
    page.locator(".command").first.get_by_role("button").click()
    page.wait_for_selector(".command button:has-text('Copied')")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"copydesk override different {row['duplicate_of']} {row['story_id']}"
    page.goto(page.url.partition("#")[0] + "#removed")
    lines = page.locator("details code").all_text_contents()
    for line in lines:
        assert shlex.split(line)[:4] == ["copydesk", "override", "line", "--keep"]
        assert "\n" not in line
    assert any("'" in line for line in lines)


def test_going_back_leads_back(opened: Opened) -> None:
    page = opened("#removed")
    page.keyboard.press("3")
    page.locator("#list a").first.click()
    page.wait_for_selector("#cluster .title")
    page.go_back()
    assert page.locator("#cluster .title").count() == 0
    page.go_back()
    assert page.locator("h1").inner_text() == "Removed lines"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_one_is_shut_out(opened: Opened, scheme: str) -> None:
    page = opened(color_scheme=scheme)
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 23, 26)"
    assert dark == (scheme == "dark")
    for section in (*SECTIONS, "clusters&order=size"):
        page.goto(page.url.partition("#")[0] + f"#{section}")
        page.wait_for_selector("main h1")
        if "size" in section:
            page.keyboard.press("j")
            page.wait_for_selector("#cluster mark")
        assert serious(page) == [], section


@pytest.mark.parametrize("section", [*SECTIONS, "cluster"])
def test_a_phone_need_not_scroll_sideways(opened: Opened, snapshot: Path, section: str) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
    page = opened(f"#cluster={cluster(snapshot, FERRY)['id']}" if section == "cluster" else f"#{section}", **phone)
    page.wait_for_selector("main .title" if section == "cluster" else "main h1")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    if section == "cluster":
        assert not page.locator(".pick").is_visible()
        page.get_by_role("link", name="All clusters").click()
        assert page.locator("#list a").first.is_visible()


def test_no_story_is_executed(browser: Browser, tmp_path: Path) -> None:
    from test_hostile import report_of

    page = browser.new_page()
    report = report_of(tmp_path)
    for section in SECTIONS:
        page.goto(f"{report.as_uri()}#{section}")
        page.wait_for_selector("main h1")
        if section == "clusters":
            for _ in range(page.locator("#list a").count()):
                page.keyboard.press("j")
                page.wait_for_selector("#cluster .story h3")
                assert page.locator("main :is(script, img, iframe, svg, form)").count() == 0
        if section != "overview":
            assert "<script>ran()</script>" in page.locator("main").inner_text()
        assert page.evaluate("document.body.id") == ""
    page.close()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_data_docs_look_right_without_a_network(opened: Opened, snapshot: Path, scheme: str) -> None:
    page = opened(page="data_docs/index.html", color_scheme=scheme)
    styled = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(styled) == ("rgb(22, 23, 26)" if scheme == "dark" else "rgb(253, 252, 249)")
    assert page.locator("tbody tr").count() == 2
    for suite, rule in (("stories", "text_has_words (critical)"), ("run", "conservation (critical)")):
        page.get_by_role("link", name=suite, exact=True).click()
        assert rule in page.locator("body").inner_text()
        assert page.evaluate(styled) == ("rgb(22, 23, 26)" if scheme == "dark" else "rgb(253, 252, 249)")
        assert page.evaluate("getComputedStyle(document.querySelector('table')).borderCollapse") == "collapse"
        assert "held" in page.locator(".sign").all_inner_texts()
        assert serious(page) == []
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        page.set_viewport_size({"width": 1280, "height": 800})
        page.get_by_role("link", name="Home").click()
    assert sum(path.stat().st_size for path in (snapshot / "data_docs").rglob("*") if path.is_file()) < 300_000
