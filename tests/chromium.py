"""Chromium for tests marked `browser`: the system's own, driven by Playwright. Where either is missing they skip, saying so."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND"),
)


def path() -> str:
    """Of the browser."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium here")
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with an empty profile that reaches no network."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright here")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path(), args=list(QUIET))
        try:
            yield started
        finally:
            started.close()
