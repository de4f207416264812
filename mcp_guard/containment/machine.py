"""What every contained program gets of the machine, to read: system libraries, certificates, names, time zones.

By name, not all of `/etc`: a deployment may keep its secrets there, or the guard its documents.
"""

from __future__ import annotations

TREES = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store")
SETTINGS = (
    *(
        "alternatives",
        "ca-certificates",
        "crypto-policies",
        "fonts",
        "gai.conf",
        "gitconfig",
        "group",
        "host.conf",
        "hosts",
    ),
    *(
        "inputrc",
        "java",
        "ld.so.cache",
        "ld.so.conf",
        "ld.so.conf.d",
        "locale.alias",
        "localtime",
        "magic",
        "mime.types",
    ),
    *("nsswitch.conf", "os-release", "passwd", "pki", "protocols", "resolv.conf", "services", "ssl", "terminfo"),
    *("timezone", "xml"),
)
"""Below /etc."""
DEVICES = ("/dev/full", "/dev/null", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero")
KERNEL = (
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/version",
    "/proc/sys/vm",
    "/proc/sys/kernel",
)
"""Without a namespace of its own, a program sees what it may of itself and nothing of others."""
