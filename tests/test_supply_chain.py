"""Pins have hashes and no addresses; every package that may be installed stands in docs/dependencies.md with its licence."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")
PERMISSIVE = {
    *("MIT", "MIT-0", "MIT-CMU", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "ISC", "Apache-2.0", "PSF-2.0", "CNRI-Python", "Zlib", "CC0-1.0"),
    *("LLVM-exception", "MPL-2.0", "MPL-1.1", "Artistic-1.0-Perl"),
}


def pins(name: str) -> dict[str, tuple[str, int]]:
    """Package -> its version, and how many hashes it has."""
    found: dict[str, tuple[str, int]] = {}
    last = ""
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if (match := PIN.match(line)) and ">= '3.12'" not in line:  # which this project does not run on
            last = match["name"]
            found[last] = (match["version"], 0)
        if HASH.search(line):
            found[last] = (found[last][0], found[last][1] + 1)
    return found


def table() -> dict[str, tuple[str, str, str]]:
    """Package -> licence, its own words, what it is for."""
    lines = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][1:]
    return {name: (licence, own or licence, use) for name, licence, own, use in rows}


def own_words(package: str) -> str:
    """What the metadata of an installed package says of its licence: the expression, else a short field, else the classifiers."""
    told = metadata.metadata(package)
    if "License-Expression" in told:
        return str(told["License-Expression"])
    field = (told.get_all("License") or [""])[0].strip().split("\n")[0].strip(" =")
    classified = "; ".join(one.split("::")[-1].strip() for one in told.get_all("Classifier") or [] if one.startswith("License"))
    short = field if len(field) < 40 and not field.lower().startswith(("copyright", "1.")) else ""
    return short or classified or "nothing"


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-dev.txt"])
def test_every_pin_has_hashes_and_no_address(name: str) -> None:
    found = pins(name)
    assert len(found) > 100
    assert [package for package, (_, hashes) in found.items() if not hashes] == []
    assert "://" not in (ROOT / name).read_text(encoding="utf-8")


def test_tests_run_with_the_versions_that_users_get() -> None:
    run, every = pins("constraints.txt"), pins("constraints-dev.txt")
    assert {name: version for name, (version, _) in every.items() if name in run} == {name: version for name, (version, _) in run.items()}


def test_what_is_installed_is_what_is_pinned() -> None:
    installed = {re.sub(r"[-_.]+", "-", one.name).lower(): one.version for one in metadata.distributions()}
    wrong = {name: installed[name] for name, (version, _) in pins("constraints-dev.txt").items() if installed.get(name, version) != version}
    assert wrong == {}


def test_every_package_stands_in_the_table_with_its_licence() -> None:
    listed, run, every = table(), pins("constraints.txt"), pins("constraints-dev.txt")
    assert set(listed) == set(every)
    assert {name for name, (_, _, use) in listed.items() if use == "run"} == set(run)
    installed = {re.sub(r"[-_.]+", "-", one.name).lower() for one in metadata.distributions()}
    changed = {name: own_words(name) for name, (_, own, _) in listed.items() if name in installed and own_words(name) != own}
    assert changed == {}
    assert len(installed & set(listed)) > 0.9 * len(listed)


def test_every_licence_lets_us_use_the_package() -> None:
    for name, (licence, _, _) in table().items():
        choices = [set(re.findall(r"[A-Za-z0-9.-]+", choice)) - {"AND", "WITH"} for choice in licence.split(" OR ")]
        assert any(choice <= PERMISSIVE for choice in choices), f"{name}: {licence}"
