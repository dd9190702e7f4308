"""What went wrong, in one sentence that says what to do next: the same words at the command line and in Prefect's record of the run."""

from __future__ import annotations


def words(error: BaseException, curated: str) -> str:
    """The sentence for an error that ended a verb or a run.

    Args:
        curated: the curated folder as the person named it, to tell which part of it is damaged.

    >>> words(PermissionError(13, "Permission denied", "curated/.lock"), "curated")
    'curated/.lock: Permission denied'
    """
    if isinstance(error, OSError) and not isinstance(error, ConnectionError):
        return f"{error.filename or 'storage'}: {error.strerror or error}{_way_out(error, curated)}"
    return str(error)


def unforeseen(error: BaseException) -> str:
    """The sentence for a fault that nobody foresaw: its own words, and for those that have a likely cause, what to do.

    >>> unforeseen(KeyError("stories"))
    "failed, nothing was published: KeyError: 'stories'"
    """
    name = error.__class__.__name__
    hint = ""
    if name == "BrokenProcessPool":
        hint = " A worker was killed, most likely for lack of memory: set run.workers or run.memory_mb lower"
    return f"failed, nothing was published: {name}: {error}{hint}"


def _way_out(error: OSError, curated: str) -> str:
    """What to do about a damaged file of the curated folder."""
    if error.__class__.__name__ != "DamagedError":  # importing it takes a second
        return ""
    folders = str(error.filename).rpartition(curated.rstrip("/").rpartition("/")[2])[2].split("/")
    if "index" in folders:
        return "; what lies in index/ is derived: delete that folder, and the next run makes it anew"
    return "; delete it and run with --full, which reads the raw files again" if "store" in folders else ""
