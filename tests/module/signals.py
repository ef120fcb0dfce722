# Callbacks as signal handlers: with lock=True, as documented, and without.

import ffi
import gc
from support.peer import func, is_windows, libc

SIGALRM, SIGTERM = 14, 15
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


# It comes anywhere, in the virtual machine, in a call, or while the collector works. These take locks that the handler takes as well.
MANY = 1000
times = [0]
pass_i = func("i", "pass_i", "i")
set_timer = None if is_windows else c.func("i", "setitimer", "ipp")
soon = b"".join(n.to_bytes(8, "little") for n in (0, 0, 0, 97))


# The next comes after this one has ended, so that what it interrupts goes on meanwhile on a slow machine as well.
def anywhere(number):
    for i in range(40):
        pass_i(i)
    times[0] += 1
    if times[0] < MANY:
        set_timer(0, soon, None)


def jump():
    for _ in range(30):
        pass


def make():
    ffi.callback("i", jump, "i").close()


for lock, works in ((True, (jump, lambda: pass_i(1), gc.collect, make)), (False, (jump, lambda: pass_i(1)))):
    with ffi.callback("v", anywhere, "i", lock=lock) as handler:
        for work in works if not is_windows else ():
            times[0] = 0
            signal(SIGALRM, handler)
            set_timer(0, soon, None)
            while times[0] < MANY:
                work()
    print("anywhere")
