"""guard.yaml: read strictly, with the place of what is wrong."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mcp_guard.config import load_config
from mcp_guard.errors import InputError
from mcp_guard.record.closing import Limits
from mcp_guard.record.sinks import HeadsFile
from mcp_guard.transports.http_intake import Bounds
from mcp_guard.transports.http_link_remote import OAuth, Remote

GOOD = """\
version: 1
policy: policies/p.yaml
set: {project: ./src, mode: fast}
servers:
  files: {command: [npx, -y, server, .], env: [GITHUB_TOKEN]}
  Web-1: {command: [python, web.py], cwd: sub, timeout: 5}
"""
URL = 'url: "https://docs.example/mcp"'


def written(directory: Path, text: str) -> Path:
    path = directory / "guard.yaml"
    path.write_text(text)
    return path


def test_paths_start_from_the_file_and_not_from_where_the_guard_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    config = load_config(written(tmp_path, GOOD))
    assert config.policy == tmp_path / "policies" / "p.yaml"
    assert config.variables == {"project": str(tmp_path / "src"), "mode": "fast"}
    assert [spec.cwd for spec in config.servers] == [str(tmp_path), str(tmp_path / "sub")]


def test_a_server_gets_the_variables_that_its_entry_names_and_no_secret_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "t")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    files, web = load_config(written(tmp_path, GOOD)).servers
    assert (files.env or {})["GITHUB_TOKEN"] == "t"
    assert "PATH" in (web.env or {})
    assert "GITHUB_TOKEN" not in (web.env or {})
    assert all("AWS_SECRET_ACCESS_KEY" not in (spec.env or {}) for spec in (files, web))


@pytest.mark.parametrize(
    ("old", "new", "place", "hint"),
    [
        ("version: 1", "version: 2", ":1:10", "version"),
        ("version: 1", "version: true", ":1:10", "version"),
        ("version: 1\n", "version: 1\nlock:\n", ":2:1", "`lock` is empty"),
        ("version: 1\n", "", ":1:1", "write `version: 1`"),
        ("policy:", "polcy:", ":2:1", "did you mean `policy`?"),
        ("command: [npx", "comand: [npx", ":5:11", "did you mean `command`?"),
        ("command: [npx, -y, server, .]", "command: npx -y server", ":5:20", "write it as a list: [npx, -y, server]"),
        ("env: [GITHUB_TOKEN]", "env: [HOME, GITHUB_TOKEN=abc]", ":5:", "`GITHUB_TOKEN=...` in `env` has a value"),
        ("env: [GITHUB_TOKEN]", "env: {TOKEN: ghp_0a1b}", ":5:", "in capitals: {TOKEN: OTHER_TOKEN}"),
        ("env: [GITHUB_TOKEN]", 'env: {TOKEN: ""}', ":5:", "no name of a variable"),
        ("env: [GITHUB_TOKEN]", "env: {TOKEN: [A]}", ":5:", "write names"),
        ("env: [GITHUB_TOKEN]", "env: [{TOKEN: A}]", ":5:", "write names"),
        ("env: [GITHUB_TOKEN]", "env: {A=b: TOKEN}", ":5:", "`A=...` in `env` has a value"),
        ("command: [npx, -y, server, .]", "command: []", ":5:20", "at least 1"),
        ("command: [npx, -y, server, .]", 'url: "https://x.example/mcp"', ":5:", "`env` doesn't go with `url`"),
        ("command: [npx, -y, server, .], env: [GITHUB_TOKEN]", 'url: "http://x.example/mcp"', ":5:16", "write https"),
        ("command: [npx, -y, server, .], env: [GITHUB_TOKEN]", "url: x.example", ":5:16", "written in full"),
        ("env: [GITHUB_TOKEN]", "token_env: TOKEN", ":5:42", "`token_env` doesn't go with `command`"),
        ("env: [GITHUB_TOKEN]", 'url: "https://x.example/"', ":5:10", "needs `command` or `url`, and not both"),
        ("command: [npx, -y, server, .], env: [GITHUB_TOKEN]", "timeout: 5", ":5:10", "needs `command` or `url`"),
        (
            "command: [npx, -y, server, .], env: [GITHUB_TOKEN]",
            f"{URL}, cwd: .",
            ":5:44",
            "`cwd` doesn't go with `url`",
        ),
        (
            "command: [npx, -y, server, .], env: [GITHUB_TOKEN]",
            f"{URL}, headers_env: {{Host: NAME}}",
            ":5:",
            "the guard makes the header `Host` itself",
        ),
        (
            "command: [npx, -y, server, .], env: [GITHUB_TOKEN]",
            f"{URL}, token_env: Bearer x",
            ":5:",
            "named by the variable",
        ),
        (
            "command: [npx, -y, server, .], env: [GITHUB_TOKEN]",
            f"{URL}, oauth: {{client_id_env: ID, client_secret_env: not one}}",
            ":5:51",
            "named by the variable",
        ),
        (
            "command: [npx, -y, server, .], env: [GITHUB_TOKEN]",
            f"{URL}, oauth: {{client_id_env: ID, client_secret: x}}",
            ":5:71",
            "did you mean `client_secret_env`?",
        ),
        (
            "command: [npx, -y, server, .], env: [GITHUB_TOKEN]",
            f"{URL}, token_env: T, oauth: {{client_id_env: ID, client_secret_env: S}}",
            ":5:",
            "keep one of the two",
        ),
        (
            "command: [npx, -y, server, .], env: [GITHUB_TOKEN]",
            f'{URL}, oauth: {{client_id_env: ID, client_secret_env: S, issuer: "http://login.example"}}',
            ":5:",
            "an issuer is an https URL",
        ),
        ("Web-1:", "FILES:", ":6:3", "share one prefix"),
        ("Web-1:", "files:", ":6:3", "twice"),
        ("Web-1:", "web server:", ":6:3", "can't be a server's name"),
        ("timeout: 5", "timeout: 0", ":6:", "greater than 0"),
        ("mode: fast", "mode: 5", ":3:", "string"),
        ("servers:", "bounds: x\nservers:", ":4:1", "isn't in this version yet"),
        ("servers:", 'listen: {origins: ["https://App.example/"]}\nservers:', ":4:20", "as a browser sends them"),
        ("servers:", "listen: {sessions: 0}\nservers:", ":4:20", "1"),
        ("servers:", "listen: {origin: []}\nservers:", ":4:10", "did you mean `origins`?"),
        ("servers:", "record: {values: yes}\nservers:", ":4:18", "boolean"),
        ("servers:", "record: {max_size: big}\nservers:", ":4:20", "pattern"),
        ("servers:", "record: {retention: 0d}\nservers:", ":4:21", "pattern"),
        ("servers:", "inspect: {severe: show}\nservers:", ":4:19", "withhold"),
        ("servers:", "inspect: {looked_at: [files/x]}\nservers:", ":4:23", "pattern"),
        ("servers:", "inspect: {severity: off}\nservers:", ":4:11", "did you mean `severe`"),
        ("servers:", "record: {durability: most}\nservers:", ":4:22", "process"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_a_way_out(
    tmp_path: Path, old: str, new: str, place: str, hint: str
) -> None:
    path = written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(InputError) as error:
        load_config(path)
    assert f"{path}{place}" in str(error.value)
    assert hint in str(error.value)


@pytest.mark.parametrize("text", ["", "[]", "servers", "version: 1\nservers: {}", "version: 1\nservers: []", "\x00"])
def test_what_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"guard\.yaml:\d+:\d+"):
        load_config(written(tmp_path, text))


def test_a_file_that_is_not_there_is_said_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--config"):
        load_config(tmp_path / "guard.yaml")


def test_a_value_in_env_is_not_repeated_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_config(written(tmp_path, GOOD.replace("[GITHUB_TOKEN]", "['GITHUB_TOKEN=s3cret']")))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("env", ["{TOKEN: s3cret}", "{TOKEN: 5, X: [s3cret]}", "[[s3cret]]"])
def test_a_value_in_place_of_a_name_is_not_repeated_in_the_error(tmp_path: Path, env: str) -> None:
    with pytest.raises(InputError) as caught:
        load_config(written(tmp_path, GOOD.replace("[GITHUB_TOKEN]", env)))
    assert "s3cret" not in str(caught.value)


def test_two_servers_get_different_values_under_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "one")
    monkeypatch.setenv("OTHER_TOKEN", "two")
    monkeypatch.setenv("WEB_PATH", "/opt/bin")
    text = GOOD.replace("[GITHUB_TOKEN]", "[TOKEN]").replace(
        "cwd: sub", "cwd: sub, env: {TOKEN: OTHER_TOKEN, PATH: WEB_PATH, LATER: NOT_SET}"
    )
    config = load_config(written(tmp_path, text))
    files, web = (spec.env or {} for spec in config.servers)
    assert (files["TOKEN"], web["TOKEN"], web["PATH"]) == ("one", "two", "/opt/bin")
    assert files["PATH"] != "/opt/bin"
    assert not {"OTHER_TOKEN", "WEB_PATH", "LATER"} & set(web)
    assert config.unset == ("NOT_SET",)


def test_variables_that_are_not_set_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    assert load_config(written(tmp_path, GOOD)).unset == ("GITHUB_TOKEN",)
    monkeypatch.setenv("GITHUB_TOKEN", "t")
    assert load_config(written(tmp_path, GOOD)).unset == ()


def test_a_server_by_url_has_an_address_and_the_names_of_its_credentials(tmp_path: Path) -> None:
    entry = f"  docs: {{{URL}, token_env: DOCS_TOKEN, headers_env: {{X-Key: DOCS_KEY}}, timeout: 7}}\n"
    docs = load_config(written(tmp_path, GOOD + entry)).servers[-1]
    assert docs.remote == Remote("https://docs.example/mcp", "DOCS_TOKEN", {"X-Key": "DOCS_KEY"})
    assert (docs.command, docs.env, docs.cwd, docs.timeout) == ((), None, None, 7)


@pytest.mark.parametrize(("key", "places"), [("", 64), (", max_calls: 8", 8)])
def test_a_server_has_so_many_places_by_default_or_as_many_as_its_entry_says(
    tmp_path: Path, key: str, places: int
) -> None:
    servers = f"  files: {{command: [server]{key}}}\n  docs: {{{URL}{key}}}\n"
    config = load_config(written(tmp_path, f"version: 1\nservers:\n{servers}"))
    assert [spec.max_calls for spec in config.servers] == [places, places]


@pytest.mark.parametrize("number", ["0", "257", "1.5", "many"])
def test_a_number_of_places_that_no_client_could_use_is_an_error(tmp_path: Path, number: str) -> None:
    with pytest.raises(InputError, match="max_calls"):
        load_config(written(tmp_path, f"version: 1\nservers:\n  files: {{command: [server], max_calls: {number}}}\n"))


def test_a_server_by_url_may_have_an_access_token_of_the_guards_own(tmp_path: Path) -> None:
    oauth = 'oauth: {client_id_env: ID, client_secret_env: S, scope: read, issuer: "https://login.example"}'
    (spec,) = load_config(written(tmp_path, f"version: 1\nservers:\n  docs: {{{URL}, {oauth}}}\n")).servers
    assert spec.remote == Remote("https://docs.example/mcp", oauth=OAuth("ID", "S", "read", "https://login.example"))
    assert spec.remote is not None and spec.remote.variables == ("ID", "S")


def test_plain_http_beyond_this_machine_is_said_to_be_meant(tmp_path: Path) -> None:
    entry = '  docs: {url: "http://docs.internal:8080/mcp", plain_http: true}\n'
    remote = load_config(written(tmp_path, GOOD + entry)).servers[-1].remote
    assert remote is not None and not remote.local_only


def test_as_many_sessions_are_served_as_are_asked_for(tmp_path: Path) -> None:
    assert load_config(written(tmp_path, GOOD)).sessions == Bounds().sessions
    assert load_config(written(tmp_path, GOOD + "listen: {sessions: 1000}\n")).sessions == 1000
    assert Bounds.of(64) == Bounds()
    assert Bounds.of(1000).requests >= 2 * 1000  # one stream of events each, and calls beside them


def test_no_page_in_a_browser_gets_in_but_from_an_origin_that_is_named(tmp_path: Path) -> None:
    assert load_config(written(tmp_path, GOOD)).origins == frozenset()
    listen = 'listen: {origins: ["https://app.example", "http://localhost:5173"]}\n'
    assert load_config(written(tmp_path, GOOD + listen)).origins == {"https://app.example", "http://localhost:5173"}


def test_what_is_said_of_the_record_is_read_with_its_units(tmp_path: Path) -> None:
    (tmp_path / "heads").touch()
    record = "record: {durability: disk, heads: heads, max_size: 500MB, retention: 90d}\nservers:"
    config = load_config(written(tmp_path, GOOD.replace("servers:", record)))
    assert (config.durability, config.limits) == ("disk", Limits(500_000_000, timedelta(days=90)))
    assert (config.heads, config.heads_files) == (HeadsFile(tmp_path / "heads"), (tmp_path / "heads",))
    assert load_config(written(tmp_path, GOOD)).limits == Limits()


def test_heads_go_only_where_somebody_else_has_made_a_place(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="let another user make it"):
        load_config(written(tmp_path, GOOD.replace("servers:", "record: {heads: heads}\nservers:")))
