"""Paths that lead out of where they are granted, and URLs that lead elsewhere than they seem to."""

from __future__ import annotations

from tests.adversarial.corpus import Case, Class, against, do

PLACES = """version: 1
grants:
  - {id: write, tool: files/write, args: {path: {under: "@home/project"}}}
  - {id: read, tool: files/read, args: {path: any}}
  - {id: move, tool: files/move, args: {source: {under: "@home/project"}, destination: {under: "@home/project/src"}}}
  - {id: log, tool: git/log, args: {path: {within: .}}}
  - {id: fetch, tool: web/fetch, args: {url: {host_in: [docs.example.com, .api.example.org]}}}
deny:
  - {id: private, tool: files/read, args: {path: {under: "@home/private"}}}
"""
PROJECT = "@home/project/"


def writes(name: str, path: str, twin: str = f"{PROJECT}src/a.py") -> Case:
    return against(name, do("files/write", path=path), do("files/write", path=twin))


def reads(name: str, path: str) -> Case:
    """A deny of a directory that is to be missed."""
    return against(name, do("files/read", path=path), do("files/read", path=f"{PROJECT}README.md"))


def logs(name: str, path: str) -> Case:
    return against(name, do("git/log", path=path), do("git/log", path="src/a.py"))


def moves(name: str, source: str, destination: str) -> Case:
    return against(
        name,
        do("files/move", source=source, destination=destination),
        do("files/move", source=f"{PROJECT}a", destination=f"{PROJECT}src/a"),
    )


TRAVERSAL = Class(
    "traversal",
    PLACES,
    (
        writes("two dots", f"{PROJECT}../private/key.txt"),
        writes("two dots that come back", f"{PROJECT}src/../src/a.py"),
        writes("two dots at the end", f"{PROJECT}src/.."),
        writes("two dots, percent-encoded", f"{PROJECT}%2e%2e/private/key.txt"),
        writes("two dots, percent-encoded twice", f"{PROJECT}%252e%252e/private/key.txt"),
        writes("a slash, percent-encoded", f"{PROJECT}..%2fprivate%2fkey.txt"),
        writes("backslashes", f"{PROJECT}..\\private\\key.txt"),
        writes("three dots", f"{PROJECT}.../private"),
        writes("two dots and a space", f"{PROJECT}.. /private"),
        writes("full-width dots", f"{PROJECT}\uff0e\uff0e/private/key.txt"),
        writes("a division slash", f"{PROJECT}..\u2215private"),
        writes("an empty segment", f"{PROJECT}/etc/passwd"),
        writes("an absolute path elsewhere", "/etc/cron.d/job"),
        writes("a directory with the same beginning", "@home/project-other/a"),
        writes("the home directory", "~/.ssh/authorized_keys"),
        writes("a variable that a server may expand", "$HOME/.bashrc"),
        writes("a file URL", "file://@home/project/../private/key.txt"),
        writes("a link out of the project", f"{PROJECT}out/key.txt"),
        writes("a file that is a link", f"{PROJECT}key.txt"),
        writes("a directory of the process that reads it", "/proc/self/root@home/private/key.txt"),
        writes("the guard's own files", "@home/guarded/policy.yaml"),
        moves("a target outside", f"{PROJECT}a", "@home/private/a"),
        moves("a source outside", "@home/private/key.txt", f"{PROJECT}src/key.txt"),
        moves("a target through a link", f"{PROJECT}a", f"{PROJECT}out/a"),
        logs("a relative path upwards", "../private"),
        logs("a relative path that begins with an option", "--output=/etc/passwd"),
        logs("a relative path with a host", "evil.test:/repo"),
        logs("an absolute path where a relative one is granted", "/etc/passwd"),
        reads("a link past a deny", f"{PROJECT}out/key.txt"),
        reads("two dots past a deny", f"{PROJECT}../private/key.txt"),
        reads("an encoded path past a deny", "@home/%70rivate/key.txt"),
        reads("capitals past a deny", "@home/PRIVATE/key.txt"),
    ),
)


def fetches(name: str, url: str, twin: str = "https://docs.example.com/guide?page=2#top", **more: str) -> Case:
    return against(name, do("web/fetch", url=url), do("web/fetch", url=twin), through=more.get("through", ""))


SUB = "https://v2.api.example.org/users"

URLS = Class(
    "redirects and sub-domains",
    PLACES,
    (
        fetches("the granted host as a sub-domain of another", "https://docs.example.com.evil.test/"),
        fetches("a host that ends like the granted one", "https://evil-docs.example.com/"),
        fetches("the granted host as a user's name", "https://docs.example.com@evil.test/"),
        fetches("the granted host as a password", "https://x:docs.example.com@evil.test/"),
        fetches("the granted host in a path", "https://evil.test/docs.example.com/"),
        fetches("the granted host in a fragment", "https://evil.test#docs.example.com/"),
        fetches("a question mark before an at sign", "https://docs.example.com?@evil.test/"),
        fetches("a backslash before an at sign", "https://evil.test\\@docs.example.com/"),
        fetches("another port", "https://docs.example.com:8443/"),
        fetches("an empty port", "https://docs.example.com:/"),
        fetches("without encryption", "http://docs.example.com/"),
        fetches("without a scheme", "//docs.example.com/"),
        fetches("one slash", "https:/docs.example.com/"),
        fetches("a script", "javascript://docs.example.com/%0Aalert(1)"),
        fetches("a file", "file://docs.example.com/etc/passwd"),
        fetches("a full stop behind the host", "https://docs.example.com./"),
        fetches("a percent-encoded host", "https://docs%2eexample.com/"),
        fetches("an address of the machine itself", "https://127.0.0.1/"),
        fetches("an address as one number", "https://2130706433/"),
        fetches("an address of a cloud's metadata", "http://169.254.169.254/latest/meta-data/"),
        fetches("an IPv6 address", "https://[::1]/"),
        fetches("the parent of granted sub-domains", "https://api.example.org/", SUB),
        fetches("a host that ends like a granted parent", "https://evilapi.example.org/", SUB),
        fetches("a sub-domain of a host that is granted by itself", "https://a.docs.example.com/"),
        fetches("a sub-domain in Punycode", "https://xn--vil-9la.api.example.org/", SUB),
        fetches("two URLs in one", "https://docs.example.com/ https://evil.test/"),
        fetches(
            "an open redirect of a granted host",
            "https://docs.example.com/go?to=https://evil.test/",
            through="`host_in` binds the first URL; where a server lets itself be led to isn't seen",
        ),
        fetches(
            "what was read, in the query of a granted host",
            "https://v1.api.example.org/log?q=c2VjcmV0",
            SUB,
            through="words within a grant: who may write to a host may write anything to it",
        ),
    ),
)
