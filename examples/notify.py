"""Tell somebody when a run of copydesk fails, is refused or held, or dies: one automation of the Prefect server, made once.

    python examples/notify.py slack-webhook/newsdesk

The argument is a block that sends, TYPE/NAME, made in the server's pages (Blocks) or by a few lines of Python (docs/schedule.md).
"""

from __future__ import annotations

import sys
from datetime import timedelta

from prefect.automations import Automation
from prefect.blocks.core import Block
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import EventTrigger, Posture

BODY = """{{ flow_run.name }}: {{ flow_run.state.message }}
{{ flow_run|ui_url or '' }}
"""


def notify(sender: str) -> Automation:
    """The automation, made: it sends through the block of that name whenever a run of the flow ends badly."""
    block = Block.load(sender)._block_document_id  # noqa: SLF001 - the action wants the id, and there is no public way to it
    return Automation(
        name=f"copydesk: failed runs to {sender}",
        trigger=EventTrigger(
            expect={"prefect.flow-run.Failed", "prefect.flow-run.Crashed", "prefect.flow-run.TimedOut"},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related={"prefect.resource.role": "flow", "prefect.resource.name": "curate"},
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[SendNotification(block_document_id=block, subject="copydesk: {{ flow_run.state.name }}", body=BODY)],
    ).create()


if __name__ == "__main__":
    notify(sys.argv[1])
