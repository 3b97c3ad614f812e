"""The doctor: what this machine can do for guests. It looks, and changes nothing."""

from __future__ import annotations

from kvmnb.doctor.check import Check
from kvmnb.doctor.examine import examine
from kvmnb.doctor.report import Report
from kvmnb.doctor.root import Root

__all__ = ["examine", "Report", "Check", "Root"]
