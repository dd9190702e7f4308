"""Is this machine, and this folder, fit for a run? Each check is one line that says what was found and, if need be, what to do."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

State = Literal["ok", "warn", "fail"]
LOW_BYTES, TOO_LOW_BYTES = 5_000_000_000, 200_000_000  # free at the curated folder: little, and too little for any run
CLOCK_SECONDS = 5.0  # between this machine's clock and that of its file system, from which file times mislead
TRAPS = {
    "fastapi": "with others `prefect deploy` fails, or every flow dies at its start",
    "sqlalchemy": "with 2.1 Prefect silently never creates scheduled runs",
    "datasketch": "1.x hashes otherwise: its sketches do not mix with these",
    "prefect": "the flow is tried with these",
}
"""What goes wrong outside the bounds of a package, where it would not be obvious."""


class Check(NamedTuple):
    """What was looked at, how it is, what was found, and what to do about it."""

    name: str
    state: State
    says: str
    do: str = ""


def examine(raw: str, curated: str, settings_file: str | None, overrides: tuple[str, ...]) -> Iterator[Check]:
    """All checks, in the order in which a run would stumble. Nothing is left behind, and none raises: what breaks a check fails it."""
    checks: tuple[tuple[str, Callable[[], Iterable[Check]]], ...] = (
        ("python", _python),
        ("packages", _packages),
        ("settings", lambda: _settings(settings_file, overrides)),
        ("models", _models),
        ("cache", _cache),
        ("raw", lambda: _raw(raw)),
        ("curated", lambda: _curated(curated)),
        ("lock", lambda: _lock(curated)),
        ("clock", lambda: _clock(curated)),
        ("prefect", _prefect),
    )
    for name, check in checks:
        try:
            yield from check()
        except Exception as error:  # noqa: BLE001 - whatever it is, the other checks are worth more than a trace
            yield Check(name, "fail", f"{error.__class__.__name__}: {error}", "this check could not be made; the sentence says why")


def _python() -> Iterator[Check]:
    from packaging.specifiers import SpecifierSet

    wanted, here = metadata.metadata("copydesk")["Requires-Python"], ".".join(map(str, sys.version_info[:3]))
    if SpecifierSet(wanted).contains(here):
        yield Check("python", "ok", f"{here} (wanted {wanted})")
    else:
        yield Check("python", "fail", f"{here}, but copydesk wants {wanted}", "install that Python and make the environment anew")


def _packages() -> Iterator[Check]:
    """What is installed against the bounds of the package: all it needs, and of its extras what is there."""
    from packaging.requirements import Requirement

    fit, number = True, 0
    for line in metadata.requires("copydesk") or ():
        wanted = Requirement(line)
        extra = wanted.marker is not None and not wanted.marker.evaluate({"extra": ""})
        try:
            here = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            if not extra:
                fit = False
                yield Check("packages", "fail", f"{wanted.name} is missing", f"pip install '{wanted.name}{wanted.specifier}'")
            continue
        number += 1
        if not wanted.specifier.contains(here, prereleases=True):
            fit = fit and extra
            why = f": {TRAPS[wanted.name]}" if wanted.name in TRAPS else ""
            says = f"{wanted.name} {here}, but copydesk wants {wanted.specifier}{why}"
            yield Check("packages", "warn" if extra else "fail", says, f"pip install '{wanted.name}{wanted.specifier}'")
    if fit:
        yield Check("packages", "ok", f"copydesk {metadata.version('copydesk')}, {number} packages within their bounds")


def _settings(path: str | None, overrides: tuple[str, ...]) -> Iterator[Check]:
    from tasks import validate
    from tasks.settings import SettingsError, load

    name = path or "built-in settings"
    try:
        knobs = load(Path(path) if path else None, overrides)
        folder = Path(knobs.check.expectations) if knobs.check.expectations else None
        rules = [len(validate.rule_names(suite, folder)) for suite in ("stories", "run")]
    except (SettingsError, validate.SuiteError) as error:
        yield Check(
            "settings", "fail", str(error).replace("\n", "; "), "correct it; `copydesk init` writes a file with every setting explained"
        )
        return
    yield Check("settings", "ok", f"{name}; {rules[0]} expectations of stories, {rules[1]} of runs from {folder or 'the package'}")
    cores = os.cpu_count() or 1
    if knobs.run.workers > 2 * cores:
        yield Check(
            "settings", "warn", f"run.workers = {knobs.run.workers} on {cores} cores", "more workers than cores take memory, not time"
        )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if knobs.run.memory_mb * 1_000_000 > memory / 2:
        says = f"run.memory_mb = {knobs.run.memory_mb:,} of {memory / 1e6:,.0f} MB in the machine"
        yield Check("settings", "warn", says, "leave half to the processes themselves: set run.memory_mb lower")


def _models() -> Iterator[Check]:
    """What a run reads besides the stories came with the packages: it needs no network."""
    from tasks import boilerplate, verdict

    rules = boilerplate.load_rules()
    verdict.load_model()
    yield Check("offline", "ok", f"{len(rules)} rules, word lists and models are installed; a run fetches nothing")


def _cache() -> Iterator[Check]:
    import numba

    import tasks.kernels.compiled  # noqa: F401 - it tells numba where
    from tasks.settings import cache_folder

    for name, folder, cost in (
        ("cache", cache_folder(), "set COPYDESK_CACHE to a folder that can be written; each run takes some seconds longer without"),
        (
            "kernels",
            Path(numba.config.CACHE_DIR),  # type: ignore[attr-defined]  # made at import
            "set NUMBA_CACHE_DIR to a folder that can be written; each run compiles for a minute without",
        ),
    ):
        nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
        if not os.access(nearest, os.W_OK):
            yield Check(name, "warn", f"{folder} cannot be written", cost)
        elif name == "kernels" and not any(folder.rglob("*.nbi")):
            yield Check(name, "ok", "not compiled yet: the first run takes a minute longer")
        else:
            yield Check(name, "ok", str(folder))


def _raw(raw: str) -> Iterator[Check]:
    from tasks import files, ingest

    folder = files.located(raw)
    if files.is_local(folder) and not folder.is_dir():
        yield Check("raw", "warn", f"{raw} is no folder", "put stories there, or name another with --raw")
        return
    found = ingest.walk(folder)
    skipped = sum(found.skipped.values())
    more = f", {skipped:,} skipped ({', '.join(f'{number:,} {why}' for why, number in found.skipped.items())})" if skipped else ""
    if found.files:
        yield Check("raw", "ok", f"{len(found.files):,} files in {raw}{more}")
    else:
        yield Check(
            "raw", "warn", f"no file in {raw} that can be read{more}", ".txt .html .jsonl .json .csv .parquet .warc, also .gz and .zst"
        )


def _curated(curated: str) -> Iterator[Check]:
    from tasks import files

    target = files.located(curated)
    if not files.is_local(target):
        files.reachable(target)
        yield Check(
            "curated", "ok", f"{curated} answers; snapshots are whole there, none shares files: publish.keep decides what they cost"
        )
        return
    nearest = next(parent for parent in (target, *target.parents) if parent.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        yield Check(
            "curated",
            "fail",
            f"{nearest} cannot be written",
            "make it a folder of the user that runs copydesk, or name another with --curated",
        )
        return
    yield Check("curated", "ok", f"{target} can be written" if nearest == target else f"{target} is made by the first run")
    free = shutil.disk_usage(nearest).free
    state: State = "fail" if free < TOO_LOW_BYTES else "warn" if free < LOW_BYTES else "ok"
    yield Check("disk", state, f"{free / 1e9:,.1f} GB free at {nearest}", "" if state == "ok" else "make room, or set publish.keep lower")
    with tempfile.TemporaryDirectory(prefix=".copydesk-doctor-", dir=nearest) as place:
        yield from _links(Path(place))


def _links(place: Path) -> Iterator[Check]:
    one = place / "one"
    one.write_bytes(b"")
    try:
        (place / "link").symlink_to("one")
        (place / "link").replace(place / "latest")
    except OSError as error:
        yield Check(
            "links", "fail", f"no symbolic links: {error.strerror}", "`latest` is one; take a file system that has them, or an object store"
        )
        return
    try:
        os.link(one, place / "two")
    except OSError as error:
        yield Check("links", "warn", f"no hard links: {error.strerror}", "each snapshot takes its full size: set publish.keep lower")
        return
    yield Check("links", "ok", "symbolic and hard links: a snapshot takes the room of what changed")


def _lock(curated: str) -> Iterator[Check]:
    from flows import lease
    from tasks import files, snapshots

    target = files.located(curated)
    path = target / ".lock"
    data = path.read_bytes() if path.exists() else b""
    record = lease.read_record(data)
    if not data.strip() or (record and lease.gone(record)):
        yield Check("lock", "ok", "no run holds the folder")
    else:
        yield Check("lock", "warn", f"held by {lease.told(data)}", "wait for it (`copydesk run --wait`) or end it")
    published = snapshots.latest(target)
    if published is not None:
        snapshots.read_manifest(published)
        hold = snapshots.read_hold(target)
        yield Check(
            "published",
            "warn" if hold else "ok",
            f"{published.name}{f'; hold: {hold}' if hold else ''}",
            "`copydesk rollback --release` ends the hold" if hold else "",
        )


def _clock(curated: str) -> Iterator[Check]:
    from tasks import files

    target = files.located(curated)
    here = target if files.is_local(target) else Path(tempfile.gettempdir())
    nearest = next(parent for parent in (here, *here.parents) if parent.is_dir())
    with tempfile.NamedTemporaryFile(dir=nearest if os.access(nearest, os.W_OK) else None) as file:
        file.write(b"-")
        file.flush()
        apart = abs(os.fstat(file.fileno()).st_mtime - time.time())
    now = datetime.now(UTC)
    if apart > CLOCK_SECONDS or now.year < 2026:
        says = f"{now:%Y-%m-%d %H:%M} UTC, {apart:.0f} s from the clock of the file system"
        yield Check("clock", "warn", says, "set it: snapshots are named by it (what is published does not depend on it)")
    else:
        yield Check("clock", "ok", f"{now:%Y-%m-%d %H:%M} UTC, as the file system has it")


def _prefect() -> Iterator[Check]:
    import prefect
    from prefect.settings import PREFECT_API_URL, get_current_settings

    profile = prefect.context.get_settings_context().profile.name
    url = PREFECT_API_URL.value()
    home = get_current_settings().home
    nearest = next(parent for parent in (home, *home.parents) if parent.exists())
    if not os.access(nearest, os.W_OK):
        yield Check("prefect", "warn", f"{home} cannot be written", "set PREFECT_HOME to a folder that can")
    if not url:
        yield Check("prefect", "ok", f"{prefect.__version__}, profile {profile}, no server set: `run` needs none, `serve` does")
        return
    from prefect import get_client

    with get_client(sync_client=True) as client:
        fault = client.api_healthcheck()
        version = "" if fault else client.api_version()
    if fault is not None:
        says = f"profile {profile} names the server {url}, which does not answer ({fault.__class__.__name__})"
        yield Check("prefect", "fail", says, "start it (`prefect server start`), or unset PREFECT_API_URL to run without one")
    elif version.split(".")[:2] != prefect.__version__.split(".")[:2]:
        yield Check(
            "prefect", "warn", f"the server {url} has {version}, here is {prefect.__version__}", "use the same minor version on both"
        )
    else:
        yield Check("prefect", "ok", f"{prefect.__version__}, profile {profile}, server {url} answers")
