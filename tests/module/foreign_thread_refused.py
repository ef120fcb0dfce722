# Where MicroPython has no threads, a callback on a thread of C's returns zero and says so on stderr.

import ffi
import gc
from support.peer import func, stderr_of

try:
    import _thread

    print("SKIP")
    raise SystemExit
except ImportError:
    pass

on_thread = func("i", "call_on_thread", "Ci")
ran = []


def never(x):
    ran.append(x)
    return 5


for lock in (False, True):
    cb = ffi.callback("i", never, "i", lock=lock)
    result = []
    text = stderr_of(lambda: result.append(on_thread(cb, 3)))
    print(result, ran, text.count("\n"), "never" in text, "thread" in text)

# While the first thread runs Python and collects.
beside = func("i", "call_beside_thread", "CCi")


def busy(x):
    gc.collect()
    return 1


result = []
busy_cb = ffi.callback("i", busy, "i")
text = stderr_of(lambda: result.append(beside(busy_cb, cb, 100)))
print(result, ran, text.count("\n"))
