"""The site: built strictly, whole, and without a network."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from conftest import ROOT

pytestmark = pytest.mark.skipif(find_spec("zensical") is None, reason="zensical is not installed (the extra docs)")
BESIDE = ("CHANGELOG.md", "README.md", "SECURITY.md", "bench/README.md", "zensical.toml")  # what pages include, and the settings
FETCHED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "use": "href"}


class Page(HTMLParser):
    """Where a page can be entered (ids), where it leads to (links), and what a browser loads with it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given: dict[str, Any] = dict(attrs)
        self.ids |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if given.get(FETCHED.get(tag, "")):
            self.loads.append(given[FETCHED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", home / "docs")
    (home / "bench").mkdir()
    for name in BESIDE:
        shutil.copy(ROOT / name, home / name)
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--clean", "--strict"],
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return home / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}


def test_every_page_has_its_place_in_the_navigation() -> None:
    def named(entries: Any) -> Iterator[str]:
        for entry in entries:
            for place in entry.values() if isinstance(entry, dict) else [entry]:
                yield from [place] if isinstance(place, str) else named(place)

    nav = list(named(tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]))
    assert sorted(nav) == sorted(str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md"))


def test_every_link_leads_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    broken = []
    for path, page in pages.items():
        for link in [*page.links, *page.loads]:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https", "mailto"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file() or (parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert broken == []


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    assert [
        (path.name, load) for path, page in pages.items() for load in page.loads if urlsplit(load).scheme or load.startswith("//")
    ] == []
    for style in site.rglob("*.css"):
        assert re.findall(r"url\(\s*[\"']?(?:https?:)?//[^)]*|@import[^;]*", style.read_text(encoding="utf-8")) == [], style.name


def test_every_block_and_table_is_read_as_one(site: Path) -> None:
    """What Markdown does not understand it shows as it stands."""
    for path in site.rglob("*.html"):
        text = re.sub(r"<(code|script)\b.*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.search(r"```|^\| ?-{3}|--8&lt;--|^\s*\| `", text, re.MULTILINE), path.name


@pytest.mark.browser
def test_it_works_from_disk_with_the_network_off(site: Path) -> None:
    """In Chromium: nothing is asked for but files of the site, nothing fails, and the search finds."""
    api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium")
    asked: list[str] = []
    faults: list[str] = []
    switches = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=switches)
        context = browser.new_context(offline=True)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.goto((site / "index.html").as_uri())
        page.get_by_role("link", name="Tutorial", exact=True).first.click()
        page.wait_for_url("**/tutorial.html")
        page.locator(".md-search__button").click()
        page.get_by_role("combobox").fill("derivative.weighted_jaccard")
        page.get_by_text(re.compile(r"^[1-9]\d* results?$")).wait_for()
        browser.close()
    assert faults == []
    assert [url for url in asked if urlsplit(url).scheme not in ("file", "blob", "data")] == []
