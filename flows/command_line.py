"""The command `copydesk`. Each verb imports what it needs when it is called, so that help is instant."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from flows import verbs
from flows.verbs import options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb; gives the exit code, one of `options.EXIT_CODES`, or 130 after Ctrl-C."""
    chosen = parser().parse_args(arguments)
    try:
        return int(chosen.verb(chosen))
    except KeyboardInterrupt:
        return options.say("copydesk: stopped; nothing was published", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return options.DONE
    except ModuleNotFoundError as error:
        return options.say(f"copydesk: {error}", options.USAGE)
    except ConnectionError as error:
        return options.say(f"copydesk: {error}", options.FAILED)
    except OSError as error:
        way_out = _way_out(error, chosen.curated) if error.__class__.__name__ == "DamagedError" else ""  # importing it takes a second
        return options.say(f"copydesk: {error.filename or 'storage'}: {error.strerror or error}{way_out}", options.FAILED)


def parser() -> argparse.ArgumentParser:
    """All verbs and their options."""
    made = argparse.ArgumentParser(
        prog="copydesk", description="Raw news text to a curated Parquet dataset: repaired, stripped of boilerplate, each story once."
    )
    added = made.add_subparsers(title="verbs", required=True, metavar="VERB")
    for kind in verbs.KINDS:
        kind.add(added)
    return made


def _way_out(damaged: OSError, curated: str) -> str:
    """What to do about a damaged file of the curated folder."""
    folders = str(damaged.filename).rpartition(curated.rstrip("/").rpartition("/")[2])[2].split("/")
    if "index" in folders:
        return "; what lies in index/ is derived: delete that folder, and the next run makes it anew"
    return "; delete it and run with --full, which reads the raw files again" if "store" in folders else ""


if __name__ == "__main__":
    sys.exit(main())
