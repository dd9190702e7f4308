"""The report of a snapshot, for an editor: what came in, what was left out and why, as a page that opens from disk.

`counts` is the funnel, which the manifest has too; `write` makes report/index.html with its style, script and data. The work is bounded: columns
of numbers and ids, removed lines and repairs are read whole, texts only of the row groups that the clusters on show lie in (clusters.py).
"""

from tasks.report.charts import warm_up
from tasks.report.page import counts, write

__all__ = ["counts", "warm_up", "write"]
