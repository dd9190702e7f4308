"""Pairs that a run lets go under the keys it looks at, and takes back because others propose them: as a run from scratch would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from inline import files, inline, run

from tasks import match

TEXT = json.loads((ROOT / "tests" / "data" / "families.jsonl").read_text(encoding="utf-8").splitlines()[0])["text"]
PARAGRAPHS = TEXT.split("\n\n")
HALF = "\n\n".join(PARAGRAPHS[: len(PARAGRAPHS) // 2])
COPIES = [{"id": f"copy {n}", "source": f"outlet{n}.example", "text": TEXT} for n in range(4)]
WHOLE, CUT = ({"id": "first", "source": "first.example", "published_at": "2025-04-20", "text": text} for text in (TEXT, HALF))


def write(path: Path, stories: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(story) + "\n" for story in stories), encoding="utf-8")


@pytest.mark.parametrize(("earlier", "some_in_doubt"), [(WHOLE, False), (CUT, True)], ids=["whole", "cut"])
def test_an_earlier_copy_that_pushes_pairs_out_of_hot_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: dict[str, Any], some_in_doubt: bool
) -> None:
    doubted: list[int] = []
    doubtful = match.doubtful

    def watched(*arguments: Any) -> int:
        doubted.append(doubtful(*arguments))
        return doubted[-1]

    monkeypatch.setattr(match, "doubtful", watched)
    raw, curated = tmp_path / "raw", tmp_path / "curated"
    with inline():
        write(raw / "a.jsonl", COPIES)
        run(raw, curated)
        write(raw / "b.jsonl", [earlier])
        run(raw, curated)
        assert len(doubted) == 1
        assert (doubted[0] > 0) == some_in_doubt
        run(raw, tmp_path / "scratch")
        assert files(curated) == files(tmp_path / "scratch")
        (raw / "b.jsonl").unlink()  # and the other way round: what was pushed out is proposed again
        run(raw, curated, prune=True)
        run(raw, tmp_path / "without")
        assert len(doubted) == 2
    assert files(curated) == files(tmp_path / "without")
