# What the tests share: the peer library, and ways to say what came out.

import ffi
import os
import struct
import sys

is_windows = sys.platform == "win32"
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


# The repr of an object in ASCII. Since MicroPython 1.29 other letters stand in a repr as they are, before they were escaped.
def ascii_repr(obj):
    return "".join(c if ord(c) < 0x80 else "\\x%02x" % ord(c) for c in repr(obj))


# The code of fixed width that is another name for `code` here: a long has 32 bits on Windows and 64 elsewhere.
def fixed(code):
    return {"l": "iq", "L": "IQ"}[code][struct.calcsize(code) == 8] if code in "lL" else code


# Opens the C library under the names that it has on various systems.
def libc():
    for name in ("libc.so.6", "libc.so", "libc.so.0", "libc.dylib", "libSystem.dylib", "msvcrt.dll"):
        try:
            return ffi.open(name)
        except OSError as e:
            error = e
    raise error


# A function of the C library that is POSIX's and not C's: Windows has some, with an underscore before their names.
def posix(result, name, args):
    return libc().func(result, "_" + name if is_windows else name, args)


# What `f` makes the process write to stderr, as text.
def stderr_of(f):
    ends = bytearray(8)
    if is_windows:
        O_BINARY = 0x8000
        posix("i", "pipe", "pIi")(ends, 65536, O_BINARY)
    else:
        posix("i", "pipe", "p")(ends)
    read_end, write_end = (int.from_bytes(ends[i : i + 4], "little") for i in (0, 4))
    dup, dup2, close = posix("i", "dup", "i"), posix("i", "dup2", "ii"), posix("i", "close", "i")
    saved = dup(2)
    dup2(write_end, 2)
    close(write_end)
    try:
        f()
    finally:
        dup2(saved, 2)
        close(saved)
    buffer = bytearray(65536)
    size = posix("l", "read", "ip" + ("I" if is_windows else "L"))(read_end, buffer, len(buffer))
    close(read_end)
    return str(buffer[: max(size, 0)], "utf-8")


# How much memory the process has, in KiB.
def resident():
    if not is_windows:
        with open("/proc/self/statm") as f:
            return int(f.read().split()[1]) * 4
    # PROCESS_MEMORY_COUNTERS: two words of 32 bits, then the peak and the working set, and five more.
    counters = bytearray(72)
    kernel = ffi.open("kernel32.dll")
    this = kernel.func("p", "GetCurrentProcess", "")()
    kernel.func("i", "K32GetProcessMemoryInfo", "ppI")(this, counters, len(counters))
    return int.from_bytes(counters[16:24], "little") // 1024


# What `f` gives, or what it raises, in words.
def tried(f, *args):
    try:
        return f(*args)
    except (OverflowError, TypeError, ValueError, ZeroDivisionError, KeyError) as error:
        return "%s: %s" % (type(error).__name__, error)
