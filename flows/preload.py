"""What the server of the worker processes imports and loads when it starts, so that no worker has to: they are forked from it.

Not imported by anything else; `processes.warm_up` names it.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from flows import processes
from tasks import settings

NAMES = (
    "great_expectations",
    "pyarrow.parquet",
    "pyarrow.dataset",
    "tasks.workers",
    "tasks.boilerplate",
    "tasks.cluster",
    "tasks.files",
    "tasks.fingerprint",
    "tasks.index",
    "tasks.match",
    "tasks.publish",
    "tasks.repair",
    "tasks.report",
    # what the rooms import when they need it
    "datasketch",
    "fastwarc",
    "ftfy",
    "numba",
    "pycld2",
    "trafilatura",
    "zstandard",
)


def _load() -> None:
    for name in NAMES:
        import_module(name)
    kernels = import_module("tasks.kernels")
    for module in iter_modules(kernels.__path__, "tasks.kernels."):
        import_module(module.name)
    # tables, models and compiled kernels for the settings as they are by themselves; what other settings name each worker loads
    import_module("tasks.repair").warm_up(settings.Repair())
    import_module("tasks.boilerplate").warm_up(settings.Strip())


processes.stop_sweeping()
_load()
processes.sweep_again()
