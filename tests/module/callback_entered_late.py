# A thread stops on its way into a callback, at one instruction after the other. The callback is closed there, and others
# are made in the memory that it lay in. The thread gets what the callback it called returns, or zero, and never what another one does.

import ffi
import gc

try:
    import _thread
except ImportError:
    print("SKIP")
    raise SystemExit

from support.peer import func, posix

prepare = func("i", "prepare_late", "Cil")
start = func("i", "start_late", "")
run_here = func("v", "run_late_here", "")
wait = func("i", "await_late", "")
end = func("i", "end_late", "")
dup, dup2 = posix("i", "dup", "i"), posix("i", "dup2", "ii")
open_file = posix("i", "open", "si")
STOPPED = 1
MOST = 3000


def called(x):
    return 77


def other(x):
    return 13


# On a thread that only C knows.
def foreign():
    start()


# On one of MicroPython's.
def known():
    _thread.start_new_thread(run_here, ())


# Others are made in the way that they were made in whose memory they get.
MANY = 40
some = [None] * MANY


def make_many(function):
    for i in range(MANY):
        some[i] = ffi.callback("i", function, "i")


def close_many():
    for i in range(MANY):
        some[i].close()
        some[i] = None


# What is left of calls has no reference to a callback: those that make and close it lie deeper.
def deeper(depth, f, *args):
    return deeper(depth - 1, f, *args) if depth > 0 else f(*args)


def make():
    make_many(called)
    prepare(some[MANY // 2], 1, steps)


# What a call came to that was stopped after so many instructions, and what wait() said.
def late(begin):
    deeper(10, make)
    begin()
    place = wait()
    deeper(10, close_many)
    gc.collect()
    deeper(10, make_many, other)
    got = end()
    deeper(10, close_many)
    gc.collect()
    return got, place


# What comes out, whatever the number of steps.
def results(begin):
    global steps
    found, steps, place = set(), 0, STOPPED
    while place == STOPPED and steps < MOST:
        got, place = late(begin)
        found.add(got)
        # The engine's part of the way is at its beginning.
        steps += 1 if steps < 64 else 7
    return found


# C calls closed callbacks here, and is told so each time.
saved = dup(2)
dup2(open_file("/dev/null", 1), 2)
# There is a server from now on: no thread is stopped while it makes one.
func("i", "call_on_thread", "Ci")(ffi.callback("i", called, "i"), 1)
for begin in (foreign, known):
    found = results(begin)
    print(begin.__name__, found <= {0, 77})
dup2(saved, 2)
