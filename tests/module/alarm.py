# A callback as the handler of a signal that comes while Python runs: with no call on the stack, its exception is printed.

import ffi
import sys
from support.peer import libc

if sys.platform == "win32":
    print("SKIP")
    raise SystemExit

SIGALRM = 14
c = libc()
signal = c.func("p", "signal", "iC")
ticks = []


def tick(number):
    ticks.append(number)
    raise ValueError("in a signal")


signal(SIGALRM, ffi.callback("v", tick, "i"))
setitimer = c.func("i", "setitimer", "ipp")
setitimer(0, b"".join(n.to_bytes(8, "little") for n in (0, 0, 0, 20000)), None)
while not ticks:
    pass
print(ticks)
