"""Mandates that are YAML and no mandates."""

from __future__ import annotations

from tests.policy.bad.starts import M, Row

MANDATES: list[Row] = [
    ("version: 1\nexpires: 30m\n", "1:1", "`task` is missing"),
    ("version: 1\ntask: t\n", "1:1", "write `expires: 30m`"),
    ("version: 1\ngrants: []\n", "1:1", "this is a policy, or a mandate without"),
    ("version: 1\ntask:\nexpires: 30m\n", "2:1", "`task` is empty"),
    ("version: 1\ntask: ' '\nexpires: 30m\n", "2:7", "an empty text"),
    ("version: 1\ntask: 7\nexpires: 30m\n", "2:7", "`task` must be text"),
    ("version: 1\ntask: t\nexpires: never\n", "3:10", "`never` is no span"),
    ("version: 1\ntask: t\nexpires: 0m\n", "3:10", "is no span"),
    ("version: 1\ntask: t\nexpires: 30\n", "3:10", "`expires` must be text"),
    ("version: 1\ntask: t\nexpires: 2026-12-31T00:00:00\n", "3:10", "is no span"),
    ("version: 1\ntask: t\nexpires: 1h30m\n", "3:10", "is no span"),
    (M + "tools: {}\n", "4:1", "stand in the policy"),
    (M + "mandate: required\n", "4:1", "unknown key `mandate`"),
    (
        M + "grants: [{id: a, tool: s/t, args: {p: {under: $project}}}]\n",
        "4:47",
        "no value for the variable `$project`",
    ),
]
