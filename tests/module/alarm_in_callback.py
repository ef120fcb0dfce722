# A callback as the handler of a signal that comes while another callback runs: its exception is raised by the call that C is in.

import ffi
import sys
from support.peer import libc

if sys.platform == "win32":
    print("SKIP")
    raise SystemExit

SIGALRM = 14
c = libc()
signal = c.func("p", "signal", "iC")
setitimer = c.func("i", "setitimer", "ipp")
qsort = c.func("v", "qsort", "pQQC")
soon = b"".join(n.to_bytes(8, "little") for n in (0, 0, 0, 20000))


def sort_with_alarm(items):
    ticks, compared = [], []

    def tick(number):
        ticks.append(number)
        raise ValueError("in a signal")

    # It cannot come before this runs.
    def compare(a, b):
        compared.append(1)
        setitimer(0, soon, None)
        while not ticks:
            pass
        return 0

    signal(SIGALRM, ffi.callback("v", tick, "i"))
    try:
        qsort(items, len(items), 1, ffi.callback("i", compare, "PP"))
    except ValueError as e:
        print("raised", e.args, len(ticks), len(compared))


# The second time there is nothing left of the first.
sort_with_alarm(bytearray(b"farcall"))
sort_with_alarm(bytearray(b"farcall"))
print(c.func("i", "abs", "i")(-1))
