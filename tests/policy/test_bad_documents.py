"""Documents that must not load: each ends in exactly one `InputError` that says where, and how to mend it."""

from __future__ import annotations

import re
from typing import Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.errors import InputError
from mcp_guard.policy.document import load_text
from mcp_guard.policy.yaml_source import read_yaml
from tests.policy.test_document import EXAMPLE_MANDATE, EXAMPLE_POLICY

G = "version: 1\ngrants:\n  - "  # a grant in flow style follows: it stands at 3:5
D = "version: 1\ndeny:\n  - "
A = "version: 1\nask:\n  - "
M = "version: 1\ntask: t\nexpires: 30m\n"

# (document, line:column, a piece of the message)
YAML_TRAPS: list[tuple[str | bytes, str, str]] = [
    ("", "1:1", "empty"),
    ("# nothing\n", "1:1", "empty"),
    ("\n\n", "1:1", "empty"),
    (b"\xff\xfe\x00v", "1:1", "UTF-8"),
    (b"version: 1\ngrants: \x80\n", "2:9", "UTF-8"),
    ("version: 1\n".encode("utf-16"), "1:1", "UTF-8"),
    ("version: 1\nask: \x07\n", "2:6", "control character U+0007"),
    ("version: 1\nask: \x00\n", "2:6", "control character U+0000"),
    ("version: 1\n" + "#" * 1_000_001, "1:1", "1000000 bytes"),
    ("version: 1\n---\nversion: 1\n", "2:1", "second document"),
    ("---\nversion: 1\n...\n---\n", "4:1", "second document"),
    ("%YAML 1.1\n---\nversion: 1\n", "", "directive"),
    ("%TAG ! x:\n---\nversion: 1\n", "", "directive"),
    ("version: 1\nversion: 1\n", "2:1", "`version` stands here twice"),
    (G + "{id: a, id: b}", "3:13", "`id` stands here twice"),
    (G + "{id: a, tool: s/t, args: {x: any, x: 1}}", "3:39", "`x` stands here twice"),
    (G + '{id: a, tool: s/t, args: {x: any, "x": 1}}', "3:39", "`x` stands here twice"),
    ("version: &v 1\n", "1:10", "`&v` is a YAML anchor"),
    ("version: 1\ngrants: *all\n", "2:9", "`*all` is a YAML alias"),
    (G + "{id: a, tool: *, args: any}", "3:19", '"*"'),
    (G + "{id: a, tool: */read, args: any}", "3:19", '"*/read"'),
    (G + "{id: a, tool: s/t, args: {path: {not_name: [*.env]}}}", "3:49", '"*.env"'),
    (G + "{id: a, tool: s/t, args: {path: {not_name: *.pem}}}", "3:48", '"*.pem"'),
    (G + "{id: a, tool: &x s/t, args: any}", "3:19", "anchor"),
    (G + "{id: a, tool: & s/t, args: any}", "", "anchor"),
    ("version: !!int 1\n", "1:10", "is a YAML tag"),
    (G + "{id: a, tool: !secret s/t, args: any}", "3:19", "is a YAML tag"),
    ("version: 1\n1: x\n", "2:1", "key `1` isn't text"),
    ("version: 1\ntrue: x\n", "2:1", "key `true` isn't text"),
    ("version: 1\n~: x\n", "2:1", "`~` alone"),
    ("{version: 1, ?: x}\n", "", "an empty key"),
    ("version: 1\n1.5: x\n", "2:1", "isn't text"),
    ("version: 1\n? [a]\n: x\n", "2:3", "a key that isn't text"),
    ("version: 1\n? {a: 1}\n: x\n", "2:3", "a key that isn't text"),
    ("version: 1\n<<: {a: 1}\n", "2:1", "YAML merge"),
    ("version: 1\ngrants:\n\t- id: a\n", "3:1", "spaces, not with tabs"),
    (G + "{id: a, tool: s/t, args: {path: {under: ${project}}}}", "", "without braces"),
    (G + "{id: a, tool: @s/t, args: any}", "3:19", "`@` needs quotes"),
    (G + "{id: a, tool: `s/t`, args: any}", "3:19", "needs quotes"),
    (G + "{id: a, tool: %s/t, args: any}", "3:19", "`%` needs quotes"),
    (G + "{id: a, tool: s/t, args: any", "", "close the bracket"),
    (G + "{id: a tool: s/t}", "", "bracket"),
    (G + "{id: a, tool: s/t, args: any}}", "", "isn't YAML"),
    ("version: 1\nask: 'x\n", "", "close the quotes"),
    ("version: 1\ngrants:\n  - id: a\n    advice: not: this\n", "4:16", "in quotes"),
    ("version: 1\ngrants:\n  - id: a\n   tool: s/t\n", "", "isn't YAML"),
    ('version: 1\nask: "\\ud800"\n', "", "isn't YAML"),
    ("version: 1\nask: " + "[" * 40 + "]" * 40, "2:38", "32 levels"),
    ("version: 1\nask: " + "{a: " * 40 + "1" + "}" * 40, "", "32 levels"),
    ("version: 1\nask: " + "[" * 100_000, "", "32 levels"),
    # scalars that two readers would read differently
    (G + "{id: a, tool: s/t, args: {n: {max: .inf}}}", "3:40", "`.inf`"),
    (G + "{id: a, tool: s/t, args: {n: {max: .nan}}}", "3:40", "`.nan`"),
    (G + "{id: a, tool: s/t, args: {n: {max: 1e400}}}", "3:40", "can't be kept exactly"),
    (G + "{id: a, tool: s/t, args: {n: {max: 0.12345678901234567890123}}}", "3:40", "can't be kept exactly"),
    (G + "{id: a, tool: s/t, args: {n: 0x1F}}", "3:34", "`0x1F`"),
    (G + "{id: a, tool: s/t, args: {n: 0o17}}", "3:34", "`0o17`"),
    (G + "{id: a, tool: s/t, args: {n: " + "9" * 65 + "}}", "3:34", "65 digits"),
    (G + "{id: a, tool: s/t, args: {path: {under: ~}}}", "3:45", "`~` alone"),
]
POLICIES: list[tuple[str | bytes, str, str]] = [
    *YAML_TRAPS,
    ("- version: 1\n", "1:1", "a document is a mapping"),
    ("version\n", "1:1", "a document is a mapping"),
    ("null\n", "1:1", "a document is a mapping"),
    (G + "{id: a, tool: s/t, args: {n: {max: 010}}}", "3:40", "number"),
    # the head
    ("grants: []\n", "1:1", "write `version: 1`"),
    ("version: 2\n", "1:10", "version `2`"),
    ("version: '1'\n", "1:10", "version `1`"),
    ("version: 1.0\n", "1:10", "version"),
    ("version: true\n", "1:10", "version `True`"),
    ("version:\n", "1:1", "`version` is empty"),
    ("version: 1\nverison: 1\n", "2:1", "did you mean `version`?"),
    ("version: 1\nallow: []\n", "2:1", "did you mean `grants`?"),
    ("version: 1\nforbid: []\n", "2:1", "did you mean `deny`?"),
    ("version: 1\ntask: x\n", "2:1", "only a mandate has `task`"),
    ("version: 1\nexpires: 3m\n", "2:1", "only a mandate has `expires`"),
    ("version: 1\nmandate: optional\n", "2:10", "write `mandate: required`"),
    ("version: 1\ngroups: {a: []}\n", "2:13", "a group of nobody"),
    ("version: 1\ngroups: {A b: [x]}\n", "2:9", "can't be a group's name"),
    ("version: 1\ngroups: {a: [1]}\n", "2:14", "isn't a name"),
    ("version: 1\ngrants:\n", "2:1", "`grants` is empty"),
    ("version: 1\ngrants: {}\n", "2:9", "`grants` must be a list"),
    ("version: 1\ndeny: no\n", "2:7", "`deny` must be a list"),
    ("version: 1\ngrants: [x]\n", "2:10", "must be a mapping"),
    ("version: 1\ngrants: [null]\n", "2:10", "this entry is empty"),
    ("version: 1\ntools: []\n", "2:8", "`tools` must be a mapping"),
    # rules
    (G + "{tool: s/t, args: any}", "3:5", "`id` is missing in grant number 1"),
    (G + "{id: Write, tool: s/t, args: any}", "3:10", "`Write` can't be an id"),
    (G + "{id: -a, tool: s/t, args: any}", "3:10", "can't be an id"),
    (G + "{id: 'a b', tool: s/t, args: any}", "3:10", "can't be an id"),
    (G + "{id: " + "a" * 65 + ", tool: s/t, args: any}", "3:10", "can't be an id"),
    (G + "{id: 7, tool: s/t, args: any}", "3:10", "`id` must be text"),
    (G + "{id: , tool: s/t, args: any}", "3:6", "`id` is empty"),
    (G + '{id: "a\\n", tool: s/t, args: any}', "3:10", "can't be an id"),
    (G + "{id: a, tool: s/t, args: any}\n  - {id: a, tool: s/u, args: any}", "4:10", "two rules have the id `a` ("),
    (G + "{id: a, tool: s/t, args: any}\nask:\n  - {id: a, tool: s/t}", "5:10", "two rules have the id `a` ("),
    (G + "{id: a, args: any}", "3:5", "names nothing"),
    (G + "{id: a, tool: s/t, effect: read, args: any}", "3:5", "exactly one of"),
    (G + "{id: a, tool: s/t, prompt: s/p, args: any}", "3:5", "exactly one of"),
    (G + "{id: a, tool: [], args: any}", "3:19", "an empty list"),
    (G + "{id: a, tool: t, args: any}", "3:19", "`t` isn't a name"),
    (G + "{id: a, tool: s/, args: any}", "3:19", "isn't a name"),
    (G + "{id: a, tool: /t, args: any}", "3:19", "isn't a name"),
    (G + "{id: a, tool: [s/t, u], args: any}", "3:25", "`u` isn't a name"),
    (G + "{id: a, tool: [s/t, 3], args: any}", "3:25", "entry 2 of `tool` must be text"),
    (G + "{id: a, tool: s/t s/u, args: any}", "3:19", "several names are a list"),
    (G + "{id: a, tool: 's/t,s/u', args: any}", "3:19", "several names are a list"),
    (G + "{id: a, tool: s/$t, args: any}", "3:19", "variables stand in constraints only"),
    (G + "{id: a, tool: {name: s/t}, args: any}", "3:19", "`tool` must be text"),
    (G + "{id: a, tool: , args: any}", "3:13", "`tool` is empty"),
    (G + "{id: a, effect: raed, args: any}", "3:21", "`raed` isn't an effect"),
    (G + "{id: a, effect: [], args: any}", "3:21", "an empty list"),
    (G + "{id: a, effect: [read, fly], args: any}", "3:28", "`fly` isn't an effect"),
    (G + "{id: a, prompt: p, args: any}", "3:21", "isn't a name"),
    (G + "{id: a, tool: s/t}", "3:5", "`args` is missing"),
    (G + "{id: a, tool: s/t, args: }", "3:24", "`args` is empty"),
    (G + "{id: a, tool: s/t, args: all}", "3:30", "arguments can't be `all`"),
    (G + "{id: a, tool: s/t, args: [path]}", "3:30", "arguments can't be"),
    (G + "{id: a, tool: s/t, args: any, others: any}", "3:5", "leaves nothing"),
    (G + "{id: a, tool: s/t, args: {x: any}, others: some}", "3:48", "`others` can't be"),
    (G + "{id: a, tool: s/t, args: {}, optional: {}}", "3:44", "`optional` can't be"),
    (G + "{id: a, tool: s/t, args: {x: 1}, optional: {x: 2}}", "3:52", "both in `args` and `optional`"),
    (G + "{id: a, tool: s/t, args: any, ask: yes}", "3:40", "`ask` must be true or false"),
    (G + "{id: a, tool: s/t, args: any, ask: {by: nobody}}", "3:45", "isn't who can be asked"),
    (G + "{id: a, tool: s/t, args: any, ask: {by: person, of: me}}", "3:53", "unknown key `of`"),
    (G + "{id: a, tool: s/t, args: any, ask: {}}", "3:40", "`by` is missing"),
    (G + "{id: a, tool: s/t, args: any, ask: [client]}", "3:40", "`ask` must be true or false"),
    (D + "{id: a, tool: s/t, by: person}", "3:24", "unknown key `by`"),
    (G + "{id: a, prompt: s/*, args: any}", "3:21", "a pattern of prompts isn't in this version yet"),
    (G + "{id: a, tool: s/t, args: any, disclose: no}", "3:45", "`disclose` must be true or false"),
    (G + "{id: a, tool: s/t, args: any, until: }", "3:35", "`until` is empty"),
    (G + "{id: a, tool: s/t, args: any, until: 2026-12-31}", "3:42", "with its zone"),
    (G + "{id: a, tool: s/t, args: any, until: '2026-12-31T00:00:00'}", "3:42", "with its zone"),
    (G + "{id: a, tool: s/t, args: any, until: 2026-13-31T00:00:00Z}", "3:42", "isn't a point in time"),
    (G + "{id: a, tool: s/t, args: any, until: 0001-01-01T00:00:00+23:00}", "3:42", "isn't a point in time"),
    (G + "{id: a, tool: s/t, args: any, until: 5}", "3:42", "`until` must be text"),
    (G + "{id: a, tool: s/t, args: any, advice: ' '}", "3:43", "an empty text"),
    (G + "{id: a, tool: s/t, args: any, advice: [x]}", "3:43", "`advice` must be text"),
    (G + "{id: read-src, efect: [read], args: any}", "3:20", "unknown key `efect` in grant `read-src`"),
    (G + "{id: a, tool: s/t, arguments: any}", "3:24", "did you mean `args`?"),
    (G + "{id: a, tool: s/t, args: any, expires: 3m}", "3:35", "did you mean `until`?"),
    (G + "{id: a, tool: s/t, args: any, zzz: 3m}", "3:35", "known here: advice, after, args"),
    (D + "{id: a, tool: s/t, budget: {calls: 1}}", "3:24", "only a grant has `budget`"),
    (D + "{id: a, tool: s/t, others: any}", "3:24", "only a grant has `others`"),
    (A + "{id: a, tool: s/t, until: 2026-12-31T00:00:00Z}", "3:24", "only a grant has `until`"),
    (D + "{id: a, tool: s/t, args: none}", "3:30", "arguments can't be `none`"),
    (D + "{id: a}", "3:5", "names nothing in deny `a`"),
    # labels and order
    (D + "{id: a, tool: s/t, when: {labels: []}}", "3:39", "an empty list says nothing"),
    (
        D + "{id: a, tool: s/t, when: {labels: [x], no_labels: [y, x]}}",
        "3:30",
        "`x` is both in `labels` and `no_labels`",
    ),
    (D + "{id: a, tool: s/t, when: {labels: [A]}}", "3:40", "`A` can't be an id"),
    (D + "{id: a, tool: s/t, after: [b]}", "3:32", "there is no grant `b` in deny `a`"),
    (D + "{id: a, tool: s/t, after: s/*, times: 0}", "3:43", "isn't a number of calls"),
    (D + "{id: a, tool: s/t, times: 2}", "3:5", "`times` without `after` counts nothing"),
    (D + "{id: a, tool: s/t, once: true}", "3:24", "only a grant has `once`"),
    (G + "{id: a, tool: s/t, args: any, after: [a]}", "3:43", "this grant would wait for itself"),
    (
        G + "{id: read, tool: s/t, args: any}\n  - {id: b, tool: s/t, args: any, after: reed}",
        "4:42",
        "did you mean `read`?",
    ),
    (G + "{id: a, tool: s/t, args: any, after: s/t, times: 2}", "3:47", "only an ask or a deny has `times`"),
    (G + "{id: a, tool: s/t, args: any, once: false}", "3:41", "`once` can't be `False`"),
    (G + "{id: a, tool: s/t, args: any, budget: {distinct: {to: 0}}}", "3:59", "isn't a number of values"),
    (G + "{id: a, tool: s/t, args: any, budget: {distinct: {}}}", "3:54", "limits nothing"),
    (G + "{id: a, tool: s/t, args: {x: any}, budget: {distinct: {to: 3}}}", "3:60", "`distinct` names `to`"),
    (G + "{id: a, tool: s/t, args: any, budget: {calls: 1, per: week}}", "3:59", "session, mandate, hour or day"),
    (G + "{id: a, tool: s/t, args: any, rate: 10}", "3:41", "write 10/m"),
    (G + "{id: a, tool: s/t, args: any, rate: 0/m}", "3:41", "write 10/m"),
    (G + "{id: a, tool: s/t, args: any, rate: 10/w}", "3:41", "write 10/m"),
    (G + "{id: a, tool: s/t, args: any, nulls: absent}", "3:5", "`args: any` leaves nothing"),
    (G + "{id: a, tool: s/t, args: {}, nulls: ok}", "3:41", "write `nulls: absent`"),
    (D + "{id: a, tool: s/t, rate: 10/m}", "3:24", "only a grant has `rate`"),
    (D + "{id: a, tool: s/t, nulls: absent}", "3:24", "only a grant has `nulls`"),
    (G + "{id: a, tool: s/t, args: any, when: {principal: {group: a}}}", "3:53", "there is no group `a`"),
    (G + "{id: a, tool: s/t, args: any, when: {principal: {grp: a}}}", "3:53", "is nobody"),
    (G + "{id: a, tool: s/t, args: any, budget: {calls: 1, per: mandate}}", "3:59", "`per: mandate` in a policy"),
    (G + "{id: a, tool: s/t, args: {to: {from: [taks]}}}", "3:43", "did you mean `task`?"),
    (A + "{id: a, tool: s/t, args: {to: {not_from: [{tool: a}]}}}", "3:54", "is no source"),
    (G + "{id: a, tool: s/t, args: {to: {max: 1, text: free}}}", "3:50", "stands beside `from`"),
    (G + "{id: a, resource: {server: s, uri: {from: [task]}}}", "3:40", "can't stand here"),
    # what a server may ask, and what isn't inspected
    (D + "{id: a, server_requests: {server: s, allow: [sampling]}}", "3:13", "only a grant has `server_requests`"),
    (G + "{id: a, server_requests: {server: s}}", "3:30", "`allow` is missing"),
    (G + "{id: a, server_requests: {server: s, allow: []}}", "3:49", "an empty list"),
    (G + "{id: a, server_requests: {server: s, allow: [everything]}}", "3:50", "isn't something a server asks for"),
    (G + "{id: a, server_requests: {server: '*', allow: [roots]}}", "3:39", "isn't one server"),
    (G + "{id: a, server_requests: {server: s, allow: [roots], alow: 1}}", "3:58", "did you mean `allow`?"),
    (G + "{id: a, server_requests: {server: s, allow: [roots]}, args: any}", "3:5", "has no arguments to limit"),
    (
        G + "{id: a, server_requests: {server: s, allow: [roots]}, budget: {sum: {n: 1}}}",
        "3:5",
        "has no arguments to limit",
    ),
    (G + "{id: a, tool: s/t, args: any, extensions: {server: s, allow: [x]}}", "3:5", "exactly one of"),
    (G + "{id: a, extensions: {server: s, allow: ['*']}}", "3:45", "isn't an extension's name"),
    (G + "{id: a, extensions: {server: s, allow: [tools/call]}}", "3:45", "is no extension: the guard knows it"),
    (G + "{id: a, extensions: {server: s, allow: [arguments]}}", "3:45", "is no extension"),
    (G + "{id: a, extensions: {server: s, allow: [requestState]}}", "3:45", "is no extension"),
    # budgets, when, resources, facts about tools
    (G + "{id: a, tool: s/t, args: any, budget: {}}", "3:43", "limits nothing"),
    (G + "{id: a, tool: s/t, args: any, budget: 3}", "3:43", "`budget` must be a mapping"),
    (G + "{id: a, tool: s/t, args: any, budget: {calls: 0}}", "3:51", "`0` isn't a number of calls"),
    (G + "{id: a, tool: s/t, args: any, budget: {calls: true}}", "3:51", "isn't a number of calls"),
    (G + "{id: a, tool: s/t, args: any, budget: {calls: 1.0}}", "3:51", "isn't a number of calls"),
    (G + "{id: a, tool: s/t, args: any, budget: {calls: }}", "3:44", "`calls` is empty"),
    (G + "{id: a, tool: s/t, args: any, budget: {sum: {}}}", "3:49", "limits nothing"),
    (G + "{id: a, tool: s/t, args: any, budget: {sum: {n: -1}}}", "3:53", "`-1` isn't an amount"),
    (G + "{id: a, tool: s/t, args: any, budget: {sum: {n: '5'}}}", "3:53", "isn't an amount"),
    (G + "{id: a, tool: s/t, args: {m: any}, budget: {sum: {n: 5}}}", "3:55", "`n`, which isn't listed"),
    (G + "{id: a, tool: s/t, args: any, budget: {cals: 1}}", "3:44", "did you mean `calls`?"),
    (D + "{id: a, tool: s/t, when: {}}", "3:30", "an empty `when`"),
    (D + "{id: a, tool: s/t, when: }", "3:24", "`when` is empty"),
    (D + "{id: a, tool: s/t, when: {who: x}}", "3:31", "unknown key `who`"),
    (D + "{id: a, tool: s/t, when: {principal: []}}", "3:42", "an empty list"),
    (D + "{id: a, tool: s/t, when: {principal: 7}}", "3:42", "must be text"),
    (D + "{id: a, tool: s/t, when: {time: 9-17}}", "3:37", 'write `{after: "09:00", before: "17:00"}`'),
    (D + "{id: a, tool: s/t, when: {time: {}}}", "3:37", "an empty `time`"),
    (D + "{id: a, tool: s/t, when: {time: {after: 9:00}}}", "3:45", "`9:00` isn't a time of day"),
    (D + "{id: a, tool: s/t, when: {time: {after: 24:00}}}", "3:45", "isn't a time of day"),
    (D + "{id: a, tool: s/t, when: {time: {after: 09:00+15:00}}}", "3:45", "isn't a time of day"),
    (D + "{id: a, tool: s/t, when: {time: {after: 09:00, before: 09:00}}}", "3:37", "the same time"),
    (D + "{id: a, tool: s/t, when: {time: {after: 09:00Z, before: 10:00+02:00}}}", "3:37", "different offsets"),
    (D + "{id: a, tool: s/t, when: {time: {days: [monday]}}}", "3:45", "`monday` isn't a day"),
    (D + "{id: a, tool: s/t, when: {time: {until: 09:00}}}", "3:38", "unknown key `until`"),
    (G + "{id: a, resource: {server: s}}", "3:5", "needs `uri`"),
    (G + "{id: a, resource: {uri: any}}", "3:23", "`server` is missing"),
    (G + "{id: a, resource: {server: 's*', uri: any}}", "3:5", "names one server"),
    (G + "{id: a, resource: {server: s/t, uri: any}}", "3:32", "isn't a server's name"),
    (G + "{id: a, resource: {server: s, uri: any}, args: any}", "3:5", "a resource has no `args`"),
    (G + "{id: a, resource: {server: s, uri: any}, others: any}", "3:5", "a resource has no arguments"),
    (G + "{id: a, resource: {server: s, uri: any}, budget: {sum: {n: 1}}}", "3:5", "a resource has no arguments"),
    (G + "{id: a, resource: s, args: any}", "3:23", "`resource` must be a mapping"),
    ("version: 1\ntools:\n  s/t*: {effect: read}\n", "3:3", "isn't one tool"),
    ("version: 1\ntools:\n  s/*: {effect: read}\n", "3:3", "`s/*` is what a server says beside its answers"),
    ("version: 1\ntools:\n  s/*: {gives: [{label: x, args: {a: 1}}]}\n", "3:3", "write only `gives`"),
    ("version: 1\ntools:\n  '*/*': {gives: []}\n", "3:3", "isn't one server"),
    ("version: 1\ntools:\n  t: {effect: read}\n", "3:3", "isn't one tool"),
    ("version: 1\ntools:\n  s/t: read\n", "3:8", "must be a mapping in the facts about `s/t`"),
    ("version: 1\ntools:\n  s/t: {effects: read}\n", "3:9", "did you mean `effect`?"),
    ("version: 1\ntools:\n  s/t: {effect: reed}\n", "3:17", "isn't an effect"),
    ("version: 1\ntools:\n  s/t: {gives: [{label: X}]}\n", "3:25", "can't be an id"),
    ("version: 1\ntools:\n  s/t: {gives: [{args: any}]}\n", "3:17", "`label` is missing"),
    ("version: 1\ntools:\n  s/t: {gives: [{label: x, if: 1}]}\n", "3:28", "unknown key `if`"),
    ("version: 1\ntools:\n  s/t: {gives: [{label: x, args: {p: {undr: /x}}}]}\n", "3:39", "`under`"),
    ("version: 1\ntools:\n  s/t: {authority: [7]}\n", "3:21", "must be text"),
    # constraints: their own errors, at their own place
    (G + "{id: a, tool: s/t, args: {path: {undr: /x}}}", "3:38", "`under`"),
    (G + "{id: a, tool: s/t, args: {path: {under: x}}}", "3:45", "in grant `a`"),
    (G + "{id: a, tool: s/t, args: {path: {under: $prject}}}", "3:45", "`$project`"),
    (G + "{id: a, tool: s/t, args: {path: {under: $nothing}}}", "3:45", "`$nothing`"),
    (G + "{id: a, tool: s/t, args: {path: {in: []}}}", "3:42", "empty"),
    (G + "{id: a, tool: s/t, args: {n: {min: 5, max: 1}}}", "3:34", "limits"),
    (G + "{id: a, tool: s/t, args: {n: }}", "3:34", "empty"),
    (G + "{id: a, tool: s/t, args: {n: [1]}}", "3:34", "list"),
    (G + "{id: a, tool: s/t, args: {to: {some: x}}}", "3:36", "`some`"),
    (G + "{id: a, tool: s/t, args: {}, optional: {to: {eech: any}}}", "3:50", "`each`"),
    (G + "{id: a, resource: {server: s, uri: {undr: /x}}}", "3:41", "`under`"),
]
MANDATES: list[tuple[str | bytes, str, str]] = [
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
CASES = [("policy", *case) for case in POLICIES] + [("mandate", *case) for case in MANDATES]

PLACE = re.compile(r"\(doc\.yaml:(\d+):(\d+)\)")
JARGON = re.compile(
    r"pydantic|Input should|validation error|Extra inputs|type=|NoneType|Traceback|errors\.pydantic", re.I
)


def load(kind: Literal["policy", "mandate"], text: str | bytes) -> None:
    data = text.encode() if isinstance(text, str) else text
    variables = {"project": "/srv/project"} if kind == "policy" else {}
    load_text(data, file="doc.yaml", kind=kind, variables=variables, home="/home/u")


@pytest.mark.parametrize(("kind", "text", "where", "piece"), CASES, ids=range(len(CASES)))
def test_a_bad_document_is_refused_with_its_place_and_a_way_out(
    kind: Literal["policy", "mandate"], text: str | bytes, where: str, piece: str
) -> None:
    with pytest.raises(InputError) as caught:
        load(kind, text)
    message = str(caught.value)
    places = PLACE.findall(message)
    assert len(places) == 1, message
    assert piece in message
    assert where in ("", ":".join(places[0])), message
    assert not JARGON.search(message), message
    assert "\n" not in message
    assert len(message) < 600


@pytest.mark.parametrize("text", [text for text, _, _ in YAML_TRAPS], ids=range(len(YAML_TRAPS)))
def test_without_libyaml_the_same_traps_are_refused(text: str | bytes) -> None:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(InputError, match=PLACE):
        read_yaml(data, "doc.yaml", loader=yaml.SafeLoader)


def test_there_are_more_than_120_bad_documents() -> None:
    assert len(CASES) > 120


def test_the_error_reads_as_promised() -> None:
    text = "version: 1\ngrants:\n  - id: read-src\n    tool: s/t\n    args: any\n    efect: read\n"
    with pytest.raises(InputError) as caught:
        load("policy", text)
    assert str(caught.value) == "unknown key `efect` in grant `read-src` (doc.yaml:6:5); did you mean `effect`?"


def test_of_several_errors_the_first_in_reading_order_is_said() -> None:
    with pytest.raises(InputError, match=r"doc\.yaml:3:24"):
        load("policy", G + "{id: a, tool: s/t, zzz: 1, args: any}\n  - {id: B, tool: s/t, args: any}\nxyz: 1\n")


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([EXAMPLE_POLICY, EXAMPLE_MANDATE]), st.data())
def test_a_mutilated_document_loads_or_says_where_it_is_wrong(good: str, data: st.DataObject) -> None:
    text = good
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 12))
        text = text[:at] + data.draw(st.sampled_from(PIECES)) + text[at + cut :]
    kind: Literal["policy", "mandate"] = "mandate" if good is EXAMPLE_MANDATE else "policy"
    expect_loaded_or_placed(kind, text.encode())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_load_or_say_where_they_are_wrong(data: bytes) -> None:
    expect_loaded_or_placed("policy", b"version: 1\n" + data)


PIECES = [
    "",
    " ",
    "\n",
    "\t",
    ":",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "*",
    "&a",
    "!",
    "~",
    "null",
    "any",
    "1e999",
    "$x",
]
PIECES += [
    "'",
    '"',
    "|",
    ">",
    "#",
    "%",
    "@",
    "?",
    "\r",
    "\x85",
    "\u2028",
    "\ufeff",
    "é",
    "😀",
    "0x1",
    "<<: ",
    "---\n",
    "no",
]


def expect_loaded_or_placed(kind: Literal["policy", "mandate"], data: bytes) -> None:
    said = ""
    try:
        load(kind, data)
    except InputError as error:
        said = str(error)
    assert not said or (len(PLACE.findall(said)) == 1 and not JARGON.search(said)), said
