"""The editors' word: a reviewed file of entries that overrule verdicts and rules.

An entry says that two stories are one (`same`) or two (`different`), that a story stands for its cluster (`keep`), or that a line is or
is not boilerplate (`line`). What the entries mean does not depend on their order, nor on who wrote them, when and why:

- *same* is transitive: the stories that a chain of entries joins are one bundle, whose members always stand in one cluster. That is so too
  where a story in the middle of the chain is not in the seen set.
- *different* holds between bundles: no story of the one ever stands in a cluster with one of the other. Where both would join a third,
  the less alike stays out (the later in keep order, if they are equally alike).
- *keep* makes the story stand for its cluster whatever the keeping policy says: the cluster is as it would be, with another anchor. Two that
  are kept never stand for each other: their cluster is shared out, and each other member is with the one that it is most like.
- *line* is about a whole line of the repaired text, white space at its ends aside, wherever it stands. One about a source is stronger than one
  about all.

Entries that contradict each other are refused when they are read. Stories are named by story_id, which is made of the record's own bytes: when
a record changes, entries about it match nothing until an editor has looked again. So no word is ever taken for a text that nobody has read.
"""

from tasks.overrides.entries import Entry, OverridesError, of_json
from tasks.overrides.file import add, find, load, read, remove, replace
from tasks.overrides.told import Obeyed, states, told
from tasks.overrides.word import Lines, Word

__all__ = [
    "Entry",
    "Lines",
    "Obeyed",
    "OverridesError",
    "Word",
    "add",
    "find",
    "load",
    "of_json",
    "read",
    "remove",
    "replace",
    "states",
    "told",
]
