# Callbacks as signal handlers: with lock=True, as documented, and without. With no call on the stack, exceptions are
# printed.

import ffi
from support.peer import libc

SIGUSR1, SIGALRM = 10, 14
c = libc()
signal = c.func("p", "signal", "iC")
raise_ = c.func("i", "raise", "i")
came = []


def handler(number):
    came.append(number)


# With the collector locked no memory is to be had, but a new list has room for four.
old = signal(SIGUSR1, ffi.callback("v", handler, "i", lock=True))
raise_(SIGUSR1)
print(came)


# An exception in it is printed, even though a call is under way.
def failing(number):
    raise ValueError(number)


signal(SIGUSR1, ffi.callback("v", failing, "i", lock=True))
print(raise_(SIGUSR1))

# Without lock it belongs to the call it interrupted.
signal(SIGUSR1, ffi.callback("v", failing, "i"))
try:
    raise_(SIGUSR1)
except ValueError as e:
    print("raised", e.args)

# With no call on the stack it is printed: the signal comes while Python counts.
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
signal(SIGUSR1, old)
