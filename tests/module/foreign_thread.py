# Callbacks on threads that MicroPython does not know run on threads of its own, while C waits for what they return.

import ffi
import gc
import time
import uctypes
from support.peer import func, stderr_of

try:
    import _thread
except ImportError:
    print("SKIP")
    raise SystemExit

on_thread = func("i", "call_on_thread", "Ci")

# On another thread than this one, which is inside C meanwhile.
here = _thread.get_ident()
ran = []


def plain(x):
    ran.append((x, _thread.get_ident() != here))
    return x + 1


for lock in (False, True):
    with ffi.callback("i", lambda x: x + 1 if lock else plain(x), "i", lock=lock) as cb:
        print(on_thread(cb, 3), ran)

# Arguments and results of every kind.
values = {
    "b": -128,
    "B": 255,
    "h": -32768,
    "H": 65535,
    "i": -(2**31),
    "I": 2**32 - 1,
    "l": -5,
    "L": 2**31,
    "q": -(2**63),
    "Q": 2**64 - 1,
    "f": 1.5,
    "d": -0.1,
    "p": 4096,
    "s": "text",
}
for code in sorted(values):
    came = []
    with ffi.callback(code, lambda x: came.append(x) or x, code) as cb:
        gave = func(code, "call_on_thread_" + code, "C" + code)(cb, values[code])
    # A string comes as its address.
    came = [uctypes.bytes_at(x, 4).decode() if code == "s" else x for x in came]
    print(code, came == [values[code]], gave == values[code])
with ffi.callback("v", lambda x: ran.append(x), "i") as cb:
    on_thread(cb, 12)
print(ran)


# An exception is printed, and C gets zero. It is not raised in the call that C is in on this thread.
def bad(x):
    raise ValueError("bad " + str(x))


cb = ffi.callback("i", bad, "i")
result = []
text = stderr_of(lambda: result.append(on_thread(cb, 3)))
print(result, "Uncaught exception in FFI callback" in text, "ValueError: bad 3" in text)
cb.close()


# A result that C cannot have.
cb = ffi.callback("i", lambda x: "text", "i")
result = []
text = stderr_of(lambda: result.append(on_thread(cb, 3)))
print(result, "TypeError" in text, "result of callback" in text)
cb.close()


# From C to Python to C to Python, each on a thread of its own.
def down(x):
    return 0 if x == 0 else 1 + on_thread(cb, x - 1)


cb = ffi.callback("i", down, "i")
print(on_thread(cb, 1), on_thread(cb, 20))

# And on the very thread that serves the first.
call_i = func("i", "call_i", "Ci")


def down_here(x):
    return 0 if x == 0 else 1 + call_i(cb, x - 1)


with ffi.callback("i", down_here, "i") as cb:
    print(on_thread(cb, 20))


# Makes callbacks and functions, and collects.
def make(x):
    with ffi.callback("i", lambda y: y * 2, "i") as inner:
        gc.collect()
        return func("i", "call_i", "Ci")(inner, x) + ffi.func("i", inner.cfun(), "i")(x)


with ffi.callback("i", make, "i") as cb:
    print(on_thread(cb, 3))


# Closes itself: this call goes on, the next finds it closed.
def close(x):
    closing.close()
    return 5


closing = ffi.callback("i", close, "i")
code = closing.cfun()
result = []
text = stderr_of(lambda: (result.append(on_thread(code, 1)), result.append(on_thread(code, 1))))
print(result, "closed" in text, text.count("\n"))

# While the first thread runs Python and collects.
beside = func("i", "call_beside_thread", "CCi")


def busy(x):
    gc.collect()
    return 1


count = 0


def counts(x):
    global count
    count += 1
    return count


with ffi.callback("i", busy, "i") as busy_cb, ffi.callback("i", counts, "i") as counting:
    print(beside(busy_cb, counting, 100), count)


# Two functions at once: each waits in C for the other.
func("i", "prepare_meeting", "")()
meet = func("i", "meet", "i")
with ffi.callback("i", lambda x: meet(x + 1), "i") as cb:
    start, join = func("i", "start_threads", "Cii"), func("q", "join_threads", "")
    print(start(cb, 2, 50), join())

# A thread that blocks every signal, the collector's with them.
with ffi.callback("i", busy, "i") as cb:
    print(func("q", "call_with_signals_blocked", "Ci")(cb, 10))


# A thread that C cancels while its callback runs. It stays until it has what that returns.
entered, may_return = [], []


def wait(x):
    entered.append(x)
    while not may_return:
        time.sleep(0.001)
    return 7


def between(x):
    while x == 0 and not entered:
        time.sleep(0.001)
    if x == 1:
        may_return.append(x)
    return 0


with ffi.callback("i", wait, "i") as waiting, ffi.callback("i", between, "i") as cb:
    print(func("i", "cancel_in_callback", "CC")(waiting, cb), entered)


# An interrupt while another thread runs Python: it is raised in the first one.
kill, getpid = ffi.open(None).func("i", "kill", "ii"), ffi.open(None).func("i", "getpid", "")


started = []


# Not before C has written down that there is a thread: an interrupt leaves what it comes into.
def interrupt(x):
    while not started:
        time.sleep(0.001)
    kill(getpid(), 2)
    time.sleep(0.05)
    return x + 1


with ffi.callback("i", interrupt, "i") as cb:
    try:
        start(cb, 1, 1)
        started.append(True)
        time.sleep(100)
        print("not interrupted")
    except KeyboardInterrupt:
        print("interrupted")
    print(join())
