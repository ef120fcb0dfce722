# A library is closed, for good, by a callback that it is calling; its code stays until it has returned.

import ffi
import gc
import os

lib = ffi.open(os.getenv("FARCALL_PEER"))
add2 = lib.func("i", "add2", "ii")
sum_calls = lib.func("i", "sum_calls", "Ci")
on_thread = lib.func("i", "call_on_thread", "Ci")


def closing(x):
    lib.close()
    gc.collect()
    try:
        add2(1, 2)
    except ValueError:
        return 10 + x
    return 0


print(sum_calls(ffi.callback("i", closing, "i"), 5))
for f, args in ((add2, (1, 2)), (sum_calls, (None, 1))):
    try:
        print(f(*args))
    except ValueError as e:
        print("ValueError", "closed" in str(e))

# Once more, through two levels.
lib = ffi.open(os.getenv("FARCALL_PEER"))
sum_calls = lib.func("i", "sum_calls", "Ci")
middle = ffi.callback("i", lambda x: sum_calls(bottom, 3), "i")
bottom = ffi.callback("i", lambda x: lib.close() or 7 if x == 2 else 1, "i")
print(sum_calls(middle, 1))

# And it can be opened again.
lib = ffi.open(os.getenv("FARCALL_PEER"))
print(lib.func("i", "add2", "ii")(40, 2))
