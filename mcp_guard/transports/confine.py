"""The last step before a contained server: limits, and where bubblewrap isn't used a Landlock sandbox; then the server.

Run by path with `python -I -S`, so that it can lie alone in a sandbox; imports nothing of the package.

    confine.py WORD... -- COMMAND ARG...

The words: `memory=BYTES`, `cpu=SECONDS`, `processes=N`, `open_files=N`; `read=PATH`, `write=PATH` (Landlock: these and
nothing else); `sockets=none` or `sockets=inet`; `home=PATH` for `HOME`. Whatever can't be done ends it before the
server has run (126).
"""

import ctypes
import os
import resource
import struct
import sys

PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 24, 38, 22, 2
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # one number on every architecture
VERSION_FLAG = 1
LEAST_ABI = 3
"""Before it (Linux 6.2) every file of the user could be emptied by `truncate`, allowed or not."""

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE, IOCTL_DEV = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
ALL_OF_ABI_3 = (1 << 15) - 1
ON_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
READING = EXECUTE | READ_FILE | READ_DIR
NO_DEVICES = ~((1 << 6) | (1 << 11))  # making character and block devices is nobody's business
SCOPES = 3  # abstract UNIX sockets and signals stay within the sandbox (ABI 6, Linux 6.12)

AF_INET, AF_INET6, AF_NETLINK = 2, 10, 16  # netlink: asking the kernel for the machine's own addresses
SOCKET_CALL = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}  # audit's architecture, number of `socket`
IO_URING_SETUP = 425  # it could make sockets that no filter sees
MODES = {"x86_64": (90, 268, 452, 92, 94, 260), "aarch64": (53, 452, 54)}
"""chmod, chown and their like, of a file by its name. Landlock doesn't know them: a server could open the record, or
a private key, to every other user. They do nothing and say that they did it: programs that set the modes of files of
their own go on, and those stay private, since the umask takes all from others.
"""
ATTRIBUTES = {"x86_64": (188, 189, 197, 198, 463, 466), "aarch64": (5, 6, 14, 15, 463, 466)}
"""setxattr, removexattr and their like: as if the file system had none."""
X32 = 0x40000000
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EACCES, ENOSYS, ENOTSUP = 13, 38, 95

libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def landlock_abi() -> int:
    """The kernel's version of Landlock; 0 if it has none, or has it switched off."""
    if sys.platform != "linux":
        return 0
    return max(0, int(libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG)))


def socket_filter_known() -> bool:
    """Is the number of `socket` known here? Without a filter a sandbox by Landlock leaves sockets open."""
    return os.uname().machine in SOCKET_CALL


def limit(words: dict[str, list[str]]) -> None:
    """Soft and hard at once, never above what is allowed already. No core dump: it would hold the server's secrets."""
    kinds = {
        "memory": resource.RLIMIT_DATA,  # what a process may write to; address space alone costs nothing
        "cpu": resource.RLIMIT_CPU,
        "processes": resource.RLIMIT_NPROC,
        "open_files": resource.RLIMIT_NOFILE,
    }
    for name, kind in kinds.items():
        for value in words.get(name, []):
            hard = resource.getrlimit(kind)[1]
            most = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
            resource.setrlimit(kind, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def give_up_privileges() -> None:
    """Whatever is started from here on gains none: no set-user-id program, and for root no capability."""
    checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # refused to those who have none to drop


def landlock(read: list[str], write: list[str]) -> None:
    """From here on only these files and directories, and what is below them. Raises OSError; a path that is gone isn't
    an error: nothing is opened by it.
    """
    abi = landlock_abi()
    if abi < LEAST_ABI:
        raise OSError(ENOSYS, f"this kernel's Landlock (version {abi}) is too old")
    handled = ALL_OF_ABI_3 | (IOCTL_DEV if abi >= 5 else 0)
    attributes = struct.pack("QQQ", handled, 0, SCOPES) if abi >= 6 else struct.pack("Q", handled)
    ruleset = checked(libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0))
    for paths, access in ((read, READING), (write, handled & NO_DEVICES)):
        for path in paths:
            allow(ruleset, path, access & handled)
    checked(libc.syscall(RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def allow(ruleset: int, path: str, access: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(f"/proc/self/fd/{handle}"):
            access &= ON_A_FILE
        rule = struct.pack("=Qi", access, handle)
        checked(libc.syscall(ADD_RULE, ruleset, 1, rule, 0))
    finally:
        os.close(handle)


def filter_calls(sockets: str) -> None:
    """What Landlock alone would leave open. No socket at all, or none but for the Internet: those of other programs
    (the session bus, a container daemon) are a way out. And nobody's modes, owners and attributes by name.
    """
    architecture, number = SOCKET_CALL[os.uname().machine]
    families = {"none": (), "inet": (AF_INET, AF_INET6, AF_NETLINK)}[sockets]
    program = [
        (LOAD, 0, 0, 4), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, 0), (AT_LEAST, 0, 1, X32), (RETURN, 0, 0, KILL),
        (EQUAL, 0, 1, IO_URING_SETUP), (RETURN, 0, 0, ERRNO | ENOSYS),
    ]  # fmt: skip
    for calls, error in ((MODES, 0), (ATTRIBUTES, ENOTSUP)):
        for call in calls[os.uname().machine]:
            program += [(EQUAL, 0, 1, call), (RETURN, 0, 0, ERRNO | error)]
    program += [(EQUAL, 1, 0, number), (RETURN, 0, 0, ALLOW), (LOAD, 0, 0, 16)]
    for family in families:
        program += [(EQUAL, 0, 1, family), (RETURN, 0, 0, ALLOW)]
    program.append((RETURN, 0, 0, ERRNO | EACCES))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    checked(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0))


def confine(words: dict[str, list[str]]) -> None:
    os.closerange(3, 1 << 16)  # the server's are its three pipes
    limit(words)
    if sys.platform == "linux":
        give_up_privileges()
    if "write" in words or "read" in words:
        os.umask(0o077)
        landlock(words.get("read", []), words.get("write", []))
    for which in words.get("sockets", []):
        filter_calls(which)


def main() -> int:
    split = sys.argv.index("--")
    words: dict[str, list[str]] = {}
    for word in sys.argv[1:split]:
        name, _, value = word.partition("=")
        words.setdefault(name, []).append(value)
    command = sys.argv[split + 1 :]
    for home in words.get("home", []):
        os.environ["HOME"] = home
    try:
        confine(words)
    except (OSError, ValueError, KeyError) as error:
        os.write(2, f"mcp-guard: cannot contain `{command[0]}`: {error}\n".encode(errors="backslashreplace"))
        return 126
    try:
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"mcp-guard: cannot start `{command[0]}`: {error.strerror}\n".encode(errors="backslashreplace"))
    return 127


if __name__ == "__main__":
    sys.exit(main())
