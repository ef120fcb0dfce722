# Callbacks as signal handlers: with lock=True, as documented, and without.

import ffi
from support.peer import libc

SIGTERM = 15
c = libc()
signal = c.func("p", "signal", "iC")
raise_ = c.func("i", "raise", "i")
came = []


def handler(number):
    came.append(number)


# With the collector locked no memory is to be had, but a new list has room for four.
old = signal(SIGTERM, ffi.callback("v", handler, "i", lock=True))
raise_(SIGTERM)
print(came)


# An exception in it is printed, even though a call is under way.
def failing(number):
    raise ValueError(number)


signal(SIGTERM, ffi.callback("v", failing, "i", lock=True))
print(raise_(SIGTERM))

# Without lock it belongs to the call it interrupted.
signal(SIGTERM, ffi.callback("v", failing, "i"))
try:
    raise_(SIGTERM)
except ValueError as e:
    print("raised", e.args)
signal(SIGTERM, old)
