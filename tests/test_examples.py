"""The examples for those who set up a service: they name what is there, and their commands are ones that the parsers take."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

from flows.command_line import parser

EXAMPLES = ROOT / "examples"


def test_the_containers_run_commands_there_are_on_files_there_are() -> None:
    services = yaml.safe_load((EXAMPLES / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert parser().parse_args(services["copydesk"]["command"]).cron == "0 * * * *"
    assert services["copydesk"]["depends_on"] == {"server": {"condition": "service_healthy"}}
    assert services["server"]["build"] == services["copydesk"]["build"] == {"context": "..", "dockerfile": "examples/Dockerfile"}
    lines = (EXAMPLES / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY") for word in line.split()[1:-1] if not word.startswith("--")]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    packaged = re.search(r"packages = \[(.*)\]", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert packaged
    assert {name.strip(' "') for name in packaged[1].split(",")} <= set(copied)
    (run,) = (line for line in lines if line.startswith("RUN copydesk run"))
    parser().parse_args(shlex.split(run.removeprefix("RUN copydesk ").partition(" && ")[0]))


@pytest.mark.parametrize("unit", ["copydesk", "copydesk-server"])
def test_the_units_are_ones_that_systemd_takes(unit: str, tmp_path: Path) -> None:
    text = (EXAMPLES / f"{unit}.service").read_text(encoding="utf-8")
    (start,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    program, *arguments = shlex.split(start)
    if unit == "copydesk":
        assert parser().parse_args(arguments).curated == "curated"
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze to check the unit with")
    for name in ("copydesk", "copydesk-server"):  # each names the other
        whole = (EXAMPLES / f"{name}.service").read_text(encoding="utf-8")
        here = (
            re.sub(r"/opt/copydesk/\.venv/bin/\w+", sys.executable, whole)
            .replace("User=copydesk", "User=root")
            .replace("/srv/news", str(tmp_path))
        )
        (tmp_path / f"{name}.service").write_text(here)
    command = ["systemd-analyze", "verify", str(tmp_path / f"{unit}.service")]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (checked.returncode, [line for line in checked.stderr.splitlines() if str(tmp_path) in line]) == (0, []), checked.stderr
    assert program.startswith("/opt/copydesk/.venv/bin/")
