# What the tests share: the peer library, and ways to say what came out.

import ffi
import os

path = os.getenv("FARCALL_PEER")
peer = ffi.open(path)


def func(result, name, args):
    return peer.func(result, name, args)


# Runs `f`, which must raise `kind` with all of `parts` in the message; prints one line.
def raises(what, kind, parts, f, *args, **kwargs):
    try:
        value = f(*args, **kwargs)
    except Exception as e:
        message = " ".join(str(a) for a in e.args)
        missing = [part for part in parts if str(part) not in message]
        if type(e) is not kind or missing:
            print(what + ":", "WRONG", repr(e), "without", missing)
        else:
            print(what + ":", kind.__name__)
    else:
        print(what + ":", "NOTHING RAISED, got", value)


# Opens the C library under the names that it has on various systems.
def libc():
    for name in ("libc.so.6", "libc.so", "libc.so.0", "libc.dylib", "libSystem.dylib"):
        try:
            return ffi.open(name)
        except OSError as e:
            error = e
    raise error


# What `f` makes the process write to stderr, as text.
def stderr_of(f):
    c = libc()
    ends = bytearray(8)
    c.func("i", "pipe", "p")(ends)
    read_end, write_end = (int.from_bytes(ends[i : i + 4], "little") for i in (0, 4))
    dup, dup2, close = c.func("i", "dup", "i"), c.func("i", "dup2", "ii"), c.func("i", "close", "i")
    saved = dup(2)
    dup2(write_end, 2)
    close(write_end)
    try:
        f()
    finally:
        dup2(saved, 2)
        close(saved)
    buffer = bytearray(65536)
    size = c.func("l", "read", "ipL")(read_end, buffer, len(buffer))
    close(read_end)
    return str(buffer[: max(size, 0)], "utf-8")
