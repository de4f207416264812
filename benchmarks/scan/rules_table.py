"""For maintainers: the table of rules in docs/scan.md. python -m benchmarks.scan.rules_table"""

from __future__ import annotations

from mcp_guard.inspection.scan import FAMILIES, Severity


def table() -> str:
    """All rules in Markdown, by family."""
    lines = ["| rule | severity | what it says |", "|---|---|---|"]
    for rules in FAMILIES.values():
        for rule in rules:
            milder = rule.result_severity is Severity.MINOR and rule.severity is Severity.SEVERE
            severity = f"{rule.severity}{' (in a result: minor)' if milder else ''}"
            lines.append(f"| `{rule.id}` | {severity} | {rule.reason} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
