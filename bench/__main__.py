"""`python -m bench [PART] [...]`: without a word, every part but those that only run when named."""

from __future__ import annotations

import sys
from importlib import import_module

PARTS = ("quality", "clean", "kernels", "candidates", "reliability", "matching", "race")
WHEN_NAMED = ("rivals", "corpus", "corpus-score", "scale", "fuzz", "hostile", "crash")
"""They build virtual environments of some GB, need arguments, or take an hour."""


def main() -> int:
    chosen = sys.argv[1:2] or list(PARTS)
    if chosen[0] not in PARTS + WHEN_NAMED:
        print(f"usage: python -m bench [{'|'.join(PARTS + WHEN_NAMED)}] [...]")
        return 2
    return max(int(import_module(f"bench.{part.replace('-', '_')}").main(sys.argv[2:])) for part in chosen)


if __name__ == "__main__":
    sys.exit(main())
