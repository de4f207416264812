"""The process of one Python scanner: takes requests on stdin, one JSON object a line, and answers on stdout.

Run by path, with the guard's own interpreter, isolated: no directory of a project and no variable decides what is
imported. Must not import anything of the guard: the scanner's code is here, and none of the guard's things.
"""

import hashlib
import importlib
import json
import math
import os
import signal
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any


def load(function: str, file: str, digest: str) -> Callable[[Any], Any]:
    """The callable: from the installed module of that name, or from a file that has exactly this digest."""
    name, _, attribute = function.partition(":")
    if not file:
        found: Callable[[Any], Any] = getattr(importlib.import_module(name), attribute)
        return found
    code = Path(file).read_bytes()
    if hashlib.sha256(code).hexdigest() != digest:  # what was digested is what is run
        raise ImportError("the file isn't the one that guard.yaml names")
    module = types.ModuleType(name)
    module.__file__ = file
    sys.modules[name] = module
    exec(compile(code, file, "exec"), module.__dict__)  # noqa: S102 - the operator's own code, by its digest
    made: Callable[[Any], Any] = getattr(module, attribute)
    return made


def main() -> None:
    """Answer until stdin ends. A call that doesn't return ends the process, whether or not anybody waits for it."""
    function, file, digest, timeout = sys.argv[1:5]
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what the scanner prints is no answer
    found = load(function, file, digest)
    out.write(b"ready\n")
    for line in sys.stdin.buffer:
        signal.alarm(math.ceil(float(timeout)) + 1)
        try:
            said = found(json.loads(line))
            answer = {"said": said if said is None or isinstance(said, bool | str) else True}
        except Exception as error:
            answer = {"failed": type(error).__name__}
        signal.alarm(0)
        out.write(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
