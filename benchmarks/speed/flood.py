"""Many calls at once: so many are under way at any moment, on one pipe or on as many HTTP connections.

One thread and a selector, so that the client costs every chain the same.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import time
from dataclasses import dataclass, field

from benchmarks.speed.callers import Broken, Caller, HttpCaller, StdioCaller, payload


@dataclass
class Flooded:
    """What came of it: the seconds that it took in all, and nanoseconds of each call from its being written."""

    seconds: float = 0.0
    taken: list[int] = field(default_factory=list)


def flood(caller: Caller, at_once: int, calls: int, size: int, seconds: float) -> Flooded:
    """`calls` calls, `at_once` of them under way; no new ones after `seconds`. Raises Broken if one isn't answered."""
    if isinstance(caller, StdioCaller):
        return _Pipe(caller, at_once, calls, size, seconds).run()
    assert isinstance(caller, HttpCaller)
    return _Connections(caller, at_once, calls, size, seconds).run()


class _Flood:
    """What both have in common: how many are sent, are under way, are done."""

    def __init__(self, caller: Caller, at_once: int, calls: int, size: int, seconds: float) -> None:
        self.caller, self.at_once, self.left, self.size = caller, at_once, calls, size
        self.began = time.perf_counter()
        self.until = self.began + seconds
        self.result = Flooded()
        self.selector = selectors.DefaultSelector()

    def more(self) -> bytes | None:
        """The next call's bytes; None when there are no more."""
        if self.left <= 0 or time.perf_counter() > self.until:
            return None
        self.left -= 1
        return self.caller.call_message(payload(self.caller.last_id, self.size))

    def answered(self, sent: int, answer: bytes) -> None:
        self.result.taken.append(time.perf_counter_ns() - sent)
        if (b'"result"' not in answer[:4096] and b'"result"' not in answer) or b'"isError":true' in answer:
            raise Broken(f"a call of many at once was refused: {answer[:300].decode(errors='replace')}")

    def wait(self) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self.selector.select(self.caller.patience)
        if not ready:
            raise Broken(f"no answer for {self.caller.patience:g} s with {self.at_once} calls at once")
        return ready

    def done(self) -> Flooded:
        self.result.seconds = time.perf_counter() - self.began
        return self.result


class _Pipe(_Flood):
    def run(self) -> Flooded:
        caller = self.caller
        assert isinstance(caller, StdioCaller)
        sent: dict[int, int] = {}
        rest, buffer = b"", bytearray()
        self.selector.register(caller.stdout, selectors.EVENT_READ)
        os.set_blocking(caller.stdin, False)
        try:
            while True:
                while len(sent) < self.at_once and (data := self.more()) is not None:
                    sent[caller.last_id] = time.perf_counter_ns()
                    rest += data + b"\n"
                if not sent:
                    return self.done()
                rest = self._write(caller.stdin, rest)
                for key, _ in self.wait():
                    if key.fd == caller.stdout:
                        self._read(caller, buffer, sent)
        finally:
            os.set_blocking(caller.stdin, True)
            self.selector.close()

    def _write(self, pipe: int, rest: bytes) -> bytes:
        with contextlib.suppress(BlockingIOError):
            while rest:
                rest = rest[os.write(pipe, rest) :]
        if rest and pipe not in self.selector.get_map():
            self.selector.register(pipe, selectors.EVENT_WRITE)
        elif not rest and pipe in self.selector.get_map():
            self.selector.unregister(pipe)
        return rest

    def _read(self, caller: StdioCaller, buffer: bytearray, sent: dict[int, int]) -> None:
        data = os.read(caller.stdout, 1 << 16)
        if not data:
            raise caller.broken()
        buffer += data
        *lines, last = bytes(buffer).split(b"\n") if b"\n" in data else [bytes(buffer)]
        buffer[:] = last
        for line in lines:
            number = _id_of(line)
            if number in sent:
                self.answered(sent.pop(number), line)


def _id_of(line: bytes) -> int:
    """The id of an answer, wherever it stands; -1 for what is no answer of ours."""
    at = line.find(b'"id":')
    while at >= 0:
        digits = line[at + 5 : at + 25].lstrip().split(b",")[0].split(b"}")[0]
        if digits.isdigit():
            return int(digits)
        at = line.find(b'"id":', at + 5)
    return -1


@dataclass
class _Connection:
    socket: socket.socket
    buffer: bytearray = field(default_factory=bytearray)
    sent: int = 0


class _Connections(_Flood):
    def run(self) -> Flooded:
        caller, under_way = self.caller, 0
        assert isinstance(caller, HttpCaller)
        try:
            for _ in range(self.at_once):
                connection = socket.create_connection(("127.0.0.1", caller.port), timeout=caller.patience)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.selector.register(connection, selectors.EVENT_READ, _Connection(connection))
            self.began = time.perf_counter()
            for key in list(self.selector.get_map().values()):
                under_way += self._send(caller, key.data)
            while under_way:
                for key, _ in self.wait():
                    if self._read(key.data):
                        under_way -= 1
                        under_way += self._send(caller, key.data)
            return self.done()
        finally:
            for key in list(self.selector.get_map().values()):
                key.data.socket.close()
            self.selector.close()

    def _send(self, caller: HttpCaller, connection: _Connection) -> int:
        data = self.more()
        if data is None:
            return 0
        headers = {"Host": f"127.0.0.1:{caller.port}", "Content-Length": str(len(data))}
        said = "".join(
            f"{name}: {value}\r\n" for name, value in (headers | caller.headers_for(data, caller.tool)).items()
        )
        connection.sent = time.perf_counter_ns()
        connection.socket.sendall(f"POST {caller.path} HTTP/1.1\r\n{said}\r\n".encode() + data)
        return 1

    def _read(self, connection: _Connection) -> bool:
        data = connection.socket.recv(1 << 16)
        connection.buffer += data
        if not data:
            raise Broken(f"the connection was closed: {bytes(connection.buffer[:300]).decode(errors='replace')}")
        if not is_whole(connection.buffer):
            return False
        self.answered(connection.sent, bytes(connection.buffer))
        connection.buffer.clear()
        return True


def is_whole(buffer: bytearray) -> bool:
    """Is all of one HTTP response there?"""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = bytes(buffer[:end]).lower()
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        length = int(head[at + 17 :].split(b"\r\n")[0])
        return len(buffer) >= end + 4 + length
    return buffer.endswith(b"0\r\n\r\n")
