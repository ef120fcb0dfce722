# A callback as the handler of a signal that comes while Python runs: with no call on the stack, the main thread raises its exception.

import ffi
import sys
import time
from support.peer import libc

if sys.platform == "win32":
    print("SKIP")
    raise SystemExit

SIGALRM = 14
c = libc()
signal = c.func("p", "signal", "iC")
setitimer = c.func("i", "setitimer", "ipp")
soon = b"".join(n.to_bytes(8, "little") for n in (0, 0, 0, 20000))
ticks = []


class Timeout(Exception):
    pass


def tick(number):
    ticks.append(number)
    raise Timeout("in a signal")


def spin():
    while True:
        pass


# Each is left by the exception, and none keeps the next from it: the signal is not blocked afterwards.
signal(SIGALRM, ffi.callback("v", tick, "i"))
for wait in (spin, lambda: time.sleep(30), lambda: time.sleep_ms(30000), spin):
    try:
        setitimer(0, soon, None)
        wait()
    except Timeout as e:
        print(e.args)
print(ticks)

# With a call in progress, the call raises it when it returns.
poll = c.func("i", "poll", "pLi")
try:
    setitimer(0, soon, None)
    print("returned", poll(None, 0, 30000))
except Timeout:
    print("raised by poll()")
