"""Where the work is done: how a runner is named, what is refused, and that the workers would make the same rows."""

from __future__ import annotations

import socket
import sys
from concurrent.futures import Executor
from typing import Any, cast

import pytest

from flows.runner import Runner, RunnerError, check, runner, same_recipe
from tasks import recipe
from tasks.settings import Settings


@pytest.mark.parametrize("spec", ["", "spark", "local:2", "dask:", "Dask", "tcp://127.0.0.1:8786"])
def test_a_misspelt_runner_is_refused_with_the_ways_to_spell_one(spec: str) -> None:
    with pytest.raises(RunnerError, match="there are local, dask"):
        check(spec)


def test_without_dask_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    check("local")
    monkeypatch.setitem(sys.modules, "distributed", None)
    check("local")
    with pytest.raises(RunnerError, match=r"pip install 'copydesk\[dask\]', here and on every worker"):
        check("dask:tcp://127.0.0.1:8786")


def test_the_local_runner_is_a_pool_of_processes() -> None:
    with runner("local", 2) as opened:
        assert opened.slots == 2
        assert opened.pool.submit(pow, 2, 10).result() == 1024
        same_recipe(opened, Settings(), recipe.recipe(Settings()))


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("flows.runner.ANSWER_SECONDS", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(RunnerError, match=f"no Dask scheduler answers at {address}"), runner(f"dask:{address}", 2):
            pass


def test_workers_that_would_make_other_rows_are_refused() -> None:
    spelled = recipe.recipe(Settings())
    other = spelled | {"libraries": spelled["libraries"] | {"ftfy": "5.0"}}
    opened = Runner(
        cast("Any", None), cast("Executor", None), 2, lambda *_: {"tcp://10.0.0.7:40001": spelled, "tcp://10.0.0.8:40001": other}
    )
    with pytest.raises(RunnerError, match=r"(?s)tcp://10.0.0.8:40001 would make other rows.*libraries.ftfy: .* -> 5.0"):
        same_recipe(opened, Settings(), spelled)


def test_workers_without_our_packages_are_refused() -> None:
    def missing(*_: object) -> dict[str, Any]:
        raise ModuleNotFoundError("No module named 'tasks'")

    with pytest.raises(RunnerError, match="its workers need copydesk"):
        same_recipe(Runner(cast("Any", None), cast("Executor", None), 2, missing), Settings(), recipe.recipe(Settings()))
