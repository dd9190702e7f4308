"""Which process a number means: ids are given again, and each container has its own."""

from __future__ import annotations

from pathlib import Path


def machine() -> str | None:
    """What only processes have in common that see each other by their ids: the boot of a kernel, and the name space of a container.

    None where the system does not tell (no Linux).
    """
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text(encoding='ascii').strip()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def started(pid: int) -> int | None:
    """When a process of this machine began, in ticks since the boot: with its id, its name for all time. None when it has ended."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return None if state in "ZX" else int(rest[18])
