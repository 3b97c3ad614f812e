"""What one look at the machine is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from kvmnb.doctor.root import Root

__all__ = ["Check", "Finding", "Look", "Verdict"]

Verdict = Literal["ok", "limited", "missing"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look found.

    Parameters
    ----------
    verdict : ``ok``, ``limited`` (there, but not whole), ``missing``
    evidence : the file or command that was read, and what it said
    remedy : the command or setting that mends it; empty where there is nothing to mend
    """

    verdict: Verdict
    evidence: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """One thing to look at.

    Parameters
    ----------
    name : of the thing
    examine : looks at it: reads files or asks a command, changes nothing
    purpose : what it is for, where guests run without it
    needed : no guest runs here while it is missing
    """

    name: str
    examine: Callable[[Root], Finding]
    purpose: str = ""
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `Finding` and `Look` say what the fields mean."""

    group: str
    name: str
    verdict: Verdict
    evidence: str
    remedy: str = ""
    purpose: str = ""
    needed: bool = False
