"""The scan of what a model would read: findings by rule, place and severity. Core."""

from mcp_guard.inspection.scan.finding import Finding, Place, Severity
from mcp_guard.inspection.scan.scanning import FAMILIES, rule_ids, scan_descriptor, scan_result, scan_text, severe

__all__ = [
    "FAMILIES",
    "Finding",
    "Place",
    "Severity",
    "rule_ids",
    "scan_descriptor",
    "scan_result",
    "scan_text",
    "severe",
]
