"""`python -m bench [quality|race] [...]`: without a word, all of them."""

from __future__ import annotations

import sys

from bench import quality, race

PARTS = {"quality": quality.main, "race": race.main}


def main() -> int:
    if len(sys.argv) > 1 and sys.argv[1] not in PARTS:
        print(f"usage: python -m bench [{'|'.join(PARTS)}] [...]")
        return 2
    chosen = {sys.argv[1]: PARTS[sys.argv[1]]} if len(sys.argv) > 1 else PARTS
    return max(part(sys.argv[2:]) for part in chosen.values())


if __name__ == "__main__":
    sys.exit(main())
