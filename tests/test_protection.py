"""What names the guard's own files, directories, process and port, and what doesn't (law 7)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard import protection
from mcp_guard.protection import Protection, local_resolve
from mcp_guard.real_path import real_path
from tests.growth import linear

PORT = 8123


@dataclass(frozen=True)
class House:
    """A home with a project, whose `policies/` the guard uses, and the guard's state directory beside it."""

    home: Path
    project: Path
    policy: Path
    state: Path
    protection: Protection

    def denies(self, value: object) -> bool:
        return self.protection.named_by({"arguments": {"path": value}})


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    home = tmp_path / "home"
    project = home / "work" / "project"
    policy = project / "policies" / "strict" / "project.yaml"
    state = home / ".local" / "state" / "guard"
    for directory in (policy.parent, state / "deep", project / "src", home / "other"):
        directory.mkdir(parents=True)
    for file in (policy, state / "guard.db", state / "key", project / "src" / "main.py", project / "README.md"):
        file.write_text("x")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home / "other")
    return House(home, project, policy, state, Protection([str(policy), str(state)], [str(project)], PORT))


Spell = Callable[[House], str]


def under_home(house: House) -> str:
    return str(house.policy.relative_to(house.home))


SPELLINGS: dict[str, Spell] = {
    "absolute": lambda h: str(h.policy),
    "relative": lambda h: "policies/strict/project.yaml",
    "relative with a dot": lambda h: "./policies/./strict//project.yaml",
    "relative and up": lambda h: "src/../policies/strict/project.yaml",
    "up through what is not there": lambda h: "no/such/../../policies/strict/project.yaml",
    "up through a file": lambda h: "README.md/../policies/strict/project.yaml",
    "up and down again": lambda h: f"../{h.project.name}/policies/strict/project.yaml",
    "more up than there is": lambda h: "../" * 40 + str(h.policy)[1:],
    "up, longer than any path": lambda h: "a/../" * 2000 + "policies/strict/project.yaml",
    "dots, longer than any path": lambda h: str(h.project) + "/." * 4000 + "/policies/strict/project.yaml",
    "two leading slashes": lambda h: f"/{h.policy}",
    "many leading slashes": lambda h: f"////{h.policy}",
    "a trailing slash": lambda h: f"{h.policy}/",
    "a trailing dot": lambda h: f"{h.policy}/.",
    "home": lambda h: f"~/{under_home(h)}",
    "home, upper case": lambda h: f"~/{under_home(h)}".upper(),
    "home by a variable": lambda h: f"$HOME/{under_home(h)}",
    "home by a variable in braces": lambda h: "${HOME}/" + under_home(h),
    "other case": lambda h: str(h.policy).upper(),
    "other case, relative": lambda h: "Policies/STRICT/project.YAML",
    "below a protected file": lambda h: f"{h.policy}/x",
    "a newline in a segment": lambda h: "a\nb/../policies/strict/project.yaml",
    "a newline after it": lambda h: f"{h.policy}\n",
    "white space around it": lambda h: f" \t{h.policy} \r\n",
    "a NUL after it": lambda h: f"{h.policy}\0.txt",
    "percent-encoded": lambda h: str(h.policy).replace("/", "%2F"),
    "percent-encoded dots": lambda h: "src/%2e%2e/policies/strict/project.yaml",
    "a file URL": lambda h: f"file://{h.policy}",
    "a file URL in other case": lambda h: f"FiLe://{h.policy}",
    "a file URL with localhost": lambda h: f"file://localhost{h.policy}",
    "a file URL with any host": lambda h: f"file://example.com{h.policy}",
    "a file URL with one slash": lambda h: f"file:{h.policy}",
    "a file URL with four slashes": lambda h: f"file:///{h.policy}",
    "a file URL without a slash": lambda h: f"file:{str(h.policy)[1:]}",
    "a file URL, relative": lambda h: "file:policies/strict/project.yaml",
    "a file URL, relative after two slashes": lambda h: "file://policies/strict/project.yaml",
    "a file URL from home": lambda h: f"file:~/{under_home(h)}",
    "a file URL from home after two slashes": lambda h: f"file://~/{under_home(h)}",
    "a file URL with encoded letters": lambda h: f"file://{h.policy}".replace("policies", "p%6Flicies"),
    "a file URL with encoded dots": lambda h: f"file://{h.project}/src/%2e%2e/policies/strict/project.yaml",
    "a file URL with encoded slashes": lambda h: "file:///" + str(h.policy)[1:].replace("/", "%2f"),
    "a file URL with a query": lambda h: f"file://{h.policy}?x=1",
    "a file URL with a fragment": lambda h: f"file://{h.policy}#x",
    "a file URL with backslashes": lambda h: "file:\\\\\\" + str(h.policy)[1:].replace("/", "\\"),
    "a file URL with a tab in its scheme": lambda h: f"fi\tle://{h.policy}",
    "a file URL with a newline in it": lambda h: f"file://{str(h.policy)[:9]}\n{str(h.policy)[9:]}",
    "a file URL after a blank": lambda h: f" file://{h.policy}",
    "a URL that is a relative path": lambda h: "https://../policies/strict/project.yaml",
    "a process's root": lambda h: f"/proc/self/root{h.policy}",
    "a process's directory": lambda h: "/proc/self/cwd/policies/strict/project.yaml",
    "another process's directory": lambda h: "/proc/1/task/1/cwd/src/../policies/strict/project.yaml",
    "its directory": lambda h: str(h.policy.parent),
    "its directory's directory": lambda h: "policies",
    "its directory's directory, with a slash": lambda h: "policies/",
    "the state directory": lambda h: str(h.state),
    "a way to the state directory": lambda h: "~/.local",
    "a file of the state": lambda h: f"{h.state}/guard.db",
    "a file that the state does not have yet": lambda h: f"{h.state}/guard.db-wal",
    "a file below directories that are not there": lambda h: f"{h.state}/a/b/c",
    "the guard's process": lambda h: f"/proc/{os.getpid()}/environ",
}


@pytest.mark.parametrize("how", SPELLINGS)
def test_the_guards_own_files_are_denied_in_every_spelling(house: House, how: str) -> None:
    assert house.denies(SPELLINGS[how](house))


ORDINARY: dict[str, Spell] = {
    "nothing": lambda h: "",
    "the project": lambda h: str(h.project),
    "the project as a dot": lambda h: ".",
    "a file": lambda h: "README.md",
    "a file in a directory": lambda h: f"{h.project}/src/main.py",
    "a file that is not there": lambda h: "src/new.py",
    "a file below directories that are not there": lambda h: "docs/a/b/new.md",
    "a file with a similar name": lambda h: f"{h.policy}.bak",
    "a directory with a similar name": lambda h: "policies-old/strict/project.yaml",
    "the same name elsewhere": lambda h: "src/policies/strict/project.yaml",
    "home": lambda h: "~",
    "another directory of home": lambda h: "~/other/x",
    "another user's home": lambda h: "~nobody-of-this-name/x",
    "the root": lambda h: "/",
    "the system": lambda h: "/usr/bin/env",
    "a file URL": lambda h: f"file://{h.project}/README.md",
    "a web page": lambda h: "https://docs.example.com/policies/strict/project.yaml",
    "a web page on another port": lambda h: "http://localhost:8124/",
    "a time": lambda h: "at 8:12 or 8123",
    "prose": lambda h: "See policies/strict/project.yaml in the project, and ~/.local/state/guard/guard.db.",
    "prose with a port": lambda h: "The guard: http, on port 8123 (localhost:8123).",
    "prose in lines": lambda h: f"First line.\n{h.policy}\nLast line.\n",
    "a percentage": lambda h: "100 % of 5%",
    "a very long text": lambda h: "policies/strict " * 20_000,
    "bytes": lambda h: "\0\0\x01",
}


@pytest.mark.parametrize("what", ORDINARY)
def test_what_is_not_the_guards_own_is_let_through(house: House, what: str) -> None:
    assert not house.denies(ORDINARY[what](house))


def test_numbers_and_empty_things_name_nothing(house: House) -> None:
    assert not house.protection.named_by({"a": [1, 1.5, None, True, {}, []]})


def test_a_name_is_found_at_any_depth_and_in_a_key(house: House) -> None:
    deep: object = str(house.policy)
    for _ in range(30):
        deep = [{"x": deep}]
    assert house.denies(deep)
    assert house.denies({"edits": [{"ok": 1}, {str(house.policy): "new text"}]})
    assert house.protection.named_by({"_meta": {"x": str(house.policy)}})


def test_a_symbolic_link_to_a_protected_file_is_denied(house: House) -> None:
    (house.project / "innocent.txt").symlink_to(house.policy)
    (house.project / "again.txt").symlink_to("innocent.txt")
    assert house.denies("innocent.txt")
    assert house.denies(str(house.project / "again.txt"))


def test_what_is_behind_a_symbolic_link_to_a_directory_is_denied(house: House) -> None:
    (house.project / "cache").symlink_to(house.state)
    assert house.denies("cache")
    assert house.denies("cache/guard.db")
    assert house.denies("cache/not-there-yet")
    assert house.denies("cache/not/there/yet")


def test_a_dangling_link_to_a_protected_place_is_denied_and_one_to_elsewhere_is_not(house: House) -> None:
    (house.project / "dangling").symlink_to(house.state / "not-there-yet")
    (house.project / "elsewhere").symlink_to(house.home / "other" / "not-there")
    assert house.denies("dangling")
    assert not house.denies("elsewhere")


def test_a_name_that_goes_up_from_behind_a_link_is_followed_both_ways(house: House) -> None:
    (house.project / "sub").symlink_to(house.state / "deep")
    assert house.denies("sub/../guard.db")  # what the system opens
    assert house.denies("sub/../not-there-yet")
    (house.project / "out").symlink_to(house.home / "other")
    (house.project / "mine.txt").symlink_to(house.policy)
    assert house.denies("out/../mine.txt")  # what a server opens that tidies the path first
    assert house.denies("x/../" * 1000 + "mine.txt")


def test_a_hard_link_to_a_protected_file_is_denied(house: House) -> None:
    os.link(house.policy, house.project / "hard.txt")
    os.link(house.state / "key", house.project / "key.txt")
    (house.project / "to-hard.txt").symlink_to("hard.txt")
    assert house.denies("hard.txt")
    assert house.denies("key.txt")
    assert house.denies("to-hard.txt")


def test_a_hard_link_is_denied_although_its_file_is_newer_than_the_guard(house: House) -> None:
    fresh = house.policy.with_suffix(".new")
    fresh.write_text("y")
    fresh.replace(house.policy)
    (house.state / "guard.db-wal").write_text("z")
    os.link(house.policy, house.project / "hard.txt")
    os.link(house.state / "guard.db-wal", house.project / "wal.txt")
    assert house.denies("hard.txt")
    assert house.denies("wal.txt")


def test_an_ordinary_file_with_several_names_is_let_through(house: House) -> None:
    os.link(house.project / "README.md", house.project / "READ.md")
    assert not house.denies("READ.md")


def test_a_protected_file_that_is_a_link_is_denied_under_both_names(house: House, tmp_path: Path) -> None:
    link = house.project / "linked.yaml"
    real = tmp_path / "real.yaml"
    real.write_text("x")
    link.symlink_to(real)
    protection = Protection([str(link)], [str(house.project)])
    assert protection.named_by("linked.yaml")
    assert protection.named_by(str(real))


def test_letters_composed_in_another_way_are_the_same_name(house: House) -> None:
    protection = Protection([str(house.project / "caf\u00e9.yaml")], [str(house.project)])
    assert protection.named_by("cafe\u0301.yaml")
    assert protection.named_by("CAFE\u0301.YAML")


def test_a_relative_name_is_tried_from_every_base(house: House) -> None:
    protection = Protection([str(house.policy)], [str(house.home), str(house.project), str(house.project / "src")])
    for name in ("work/project/policies/strict/project.yaml", "policies/strict/project.yaml", "../policies/strict"):
        assert protection.named_by(name), name


@given(st.lists(st.sampled_from(["guard", "Record", "a", "b", "x-y", "proc"]), min_size=1, max_size=3), st.data())
def test_a_single_name_is_the_guards_own_exactly_where_the_whole_path_is(parts: list[str], data: st.DataObject) -> None:
    """A name is looked up in a table that is made beforehand; a path is compared part by part."""
    root = "/nowhere-at-all"
    own, base = "/".join([root, *parts]), "/".join([root, *parts[: data.draw(st.integers(0, len(parts)))]])
    name = data.draw(st.sampled_from([*parts, parts[-1].upper(), "other"]))
    protection = Protection([own], [base])
    assert protection.named_by(name) == protection.named_by(f"{base}/{name}")


def test_a_text_too_long_for_a_name_is_the_guards_own_exactly_inside_of_its_directory(house: House) -> None:
    inside = Protection([str(house.state)], [str(house.project), str(house.state / "deep")])
    for text in ("x" * 5000, "word. " * 2000, "é" * 5000):
        assert inside.named_by({"text": text}) and not house.denies(text)
        assert house.denies(f"{house.state}/{text}") and not house.denies(f"{house.state}{text}")


@given(st.lists(st.sampled_from(["/", "/", ".", "..", "a", ".b", "c.d", "é", "..."]), max_size=12).map("".join))
def test_a_normal_path_has_no_dots_and_no_doubled_separators(tail: str) -> None:
    for path in (f"/{tail}", f"/x/{tail}", tail):
        assert protection._normal(path) == "/" + os.path.normpath(path).lstrip("/")


def test_without_a_base_above_it_the_directories_of_a_protected_file_are_denied_but_the_topmost() -> None:
    protection = Protection(["/srv/team/guard/policy.yaml"], ["/var/project"])
    assert protection.named_by("/srv/team/guard")
    assert protection.named_by("/srv/team")
    assert not protection.named_by("/srv")
    assert not protection.named_by("/srv/team/other")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8123",
        "http://localhost:8123/mcp",
        "HTTP://LOCALHOST:8123/",
        "https://anything.example.com:8123/",
        "http://[::1]:8123/",
        "http://[::ffff:127.0.0.1]:8123/",
        "http://0:8123/",
        "http://2130706433:08123/",
        "http://user:pass@localhost:8123/",
        "http://localhost:8123@example.com/",
        "http://localhost:8123\\@example.com/",
        "http:\\\\localhost:8123/",
        "http:/localhost:8123",
        "http:localhost:8123",
        "//localhost:8123/x",
        "localhost:8123",
        "127.0.0.1:8123/mcp?x#y",
        " http://localhost:8123",
        "ht\ntp://local\thost:81\r23/",
        "http://localhost%3A8123/",
        "http://localhost:\uff18\uff11\uff12\uff13/",
        "http://localhost:73659/",  # 8123 + 65536
        "ws://localhost:8123",
        "gopher://localhost:8123/_x",
        "view-source:http://localhost:8123/",
    ],
)
def test_the_guards_own_port_is_denied_in_every_spelling(house: House, url: str) -> None:
    assert house.denies(url)
    assert not Protection([], []).named_by(url)


def test_a_default_port_is_the_guards_own_only_on_a_host_that_may_be_this_machine() -> None:
    protection = Protection([], [], 443)
    for url in (
        "https://localhost/",
        "https://127.0.0.1/x",
        "https://[::1]/",
        "https://workstation",
        "wss://a.localhost",
    ):
        assert protection.named_by(url), url
    for url in ("https://example.com/", "http://localhost/", "https://docs.python.org"):
        assert not protection.named_by(url), url
    assert protection.named_by("https://example.com:443/")


def walls(count: int) -> Iterator[str]:
    return (f"src/{'d/' * 200}{number}" for number in range(count))


def test_more_names_than_can_be_looked_at_are_denied_soon(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    followed: list[str] = []

    def real_path(path: str) -> str:
        followed.append(path)
        return path

    monkeypatch.setattr(protection, "real_path", real_path)
    assert house.denies(["a"] * 60_000)
    followed.clear()
    assert house.denies(list(walls(5_000)))
    assert 0 < len(followed) < 1000  # of 200 steps each: one by one all of them would be a million


def test_what_leads_nowhere_is_not_followed_until_a_link_stands_there(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed: list[str] = []

    def followed_path(path: str) -> str:
        followed.append(path)
        return real_path(path)

    monkeypatch.setattr(protection, "real_path", followed_path)
    assert not house.denies("example.org/guard.db") and followed == []
    (house.project / "example.org").symlink_to(house.state)
    assert house.denies("example.org/guard.db") and house.denies("example.org/not/there")
    assert followed


@pytest.mark.parametrize("name", ["src", "later"])  # one is a directory when the guard starts, the other isn't there
def test_a_base_that_became_a_link_to_the_guards_own_is_followed(house: House, name: str) -> None:
    base = house.project / name
    guarded = Protection([str(house.state)], [str(base)])
    paths = ("new", "deeper/new", str(base / "new"), str(base / "deeper" / "new"))
    assert not any(guarded.named_by(path) for path in paths)
    if base.is_dir():
        base.rename(house.project / "aside")
    base.symlink_to(house.state)
    assert all(guarded.named_by(path) for path in paths)
    base.unlink()
    if (house.project / "aside").is_dir():
        (house.project / "aside").rename(base)
    assert not any(guarded.named_by(path) for path in paths)


def test_a_large_text_is_looked_at_in_linear_time(house: House) -> None:
    for begin, unit in (("", "/a/.."), ("", "word "), ("", "../"), ("", "%41/"), ("file:///", "%41/")):
        assert linear(lambda times: house.denies(begin + unit * times), 12_500), unit  # noqa: B023 - called at once


def test_a_path_that_cannot_be_followed_resolves_to_nothing(house: House) -> None:
    assert local_resolve("a\0b") is None
    assert local_resolve(str(house.project / "src/../README.md")) == str((house.project / "README.md").resolve())
