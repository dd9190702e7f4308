"""What repeats: lines that stand in story after story of one source are that source's furniture.

`fit` learns them from a corpus (`copydesk fit furniture`), once and on command; the model is a file that people can read and edit, one
recurring line a line, and a run with `strip.furniture` takes those it is told to take. Lines are compared folded: without case, and with
one sign for every number and date, so that "1,204 comments" is the line "7 comments" again.

That a line recurs is no proof. Subheads ("What happens next"), speakers' names, appeals for witnesses, the background of a long trial
and the sentences of a daily market report recur too, and stay. So a line must recur in many different stories (clusters, not copies), on
several days; nothing may speak against it (notes of the editors; lines that lead over to what follows; figures that differ each time;
stories that are all alike, or that share the line's words); and something must speak for it:

- it says so itself, by a word or sign of a closed list ("newsletter", "©", an address): such a line goes wherever it stands;
- it is one of a block of lines that recur one after the other, as menus do;
- it stands outside the story, before or after nearly all its prose, and is the source's name, a sentence to the reader, or in most of the
  source's stories; a short line there must not touch the prose as a subhead does, unless it heads a line that goes.

What recurs and lacks this is listed in the model too, untaken and with the reason, for an editor to judge.
"""

from __future__ import annotations

from tasks.furniture.learn import FEWEST_OF_SOURCE, MOST_OF_SOURCE, FurnitureError, Model, Story, fit
from tasks.furniture.lines import Recurring, fold
from tasks.furniture.lookup import Furniture
from tasks.furniture.model import load, name, read, ready, write

__all__ = [
    "FEWEST_OF_SOURCE",
    "MOST_OF_SOURCE",
    "Furniture",
    "FurnitureError",
    "Model",
    "Recurring",
    "Story",
    "fit",
    "fold",
    "load",
    "name",
    "read",
    "ready",
    "write",
]
