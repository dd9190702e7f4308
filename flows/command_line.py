"""The command `copydesk`. Each verb imports what it needs when it is called, so that help is instant."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from flows import faults, verbs
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
        return options.say(f"copydesk: {faults.words(error, chosen.curated)}", options.FAILED)


def parser() -> argparse.ArgumentParser:
    """All verbs and their options."""
    made = argparse.ArgumentParser(
        prog="copydesk",
        description="Raw news text to a curated Parquet dataset: repaired, stripped of boilerplate, each story once.",
        epilog=options.epilog(
            """
            copydesk init news && cd news    a folder with settings and a few sample stories
            copydesk run                     curate raw/ into curated/
            copydesk explain RAW_ID          why a story was kept, merged or left out
            copydesk doctor                  is this machine fit for it?
            copydesk serve                   every hour from now on
            """,
            f"{options.CODES}\n\n`copydesk VERB --help` has examples of each. Colours are for terminals alone, and NO_COLOR ends them.",
            "what to do first:",
        ),
        formatter_class=options.Layout,
    )
    made.set_defaults(whole=made)
    added = made.add_subparsers(title="verbs", required=True, metavar="VERB")
    for kind in verbs.KINDS:
        kind.add(added)
    return made


if __name__ == "__main__":
    sys.exit(main())
