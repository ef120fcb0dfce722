# The collector never frees what C is using, however often it runs.

import ffi
import gc
from array import array
from support.peer import func

gc.threshold(1)
sum_calls = func("i", "sum_calls", "Ci")


# Arguments that nothing but the call refers to.
def collect(*_):
    for _ in range(3):
        gc.collect()
        [bytearray(32) for _ in range(32)]
    return 1


collect_cb = ffi.callback("v", collect, "")
spread = func("v", "spread_i", "Cp")
for n in range(20):
    came = []

    def take(*args):
        collect()
        came.append(args)

    with ffi.callback("v", take, "i" * 12) as cb:
        spread(cb, array("i", range(n, n + 12)))
    if came[0] != tuple(range(n, n + 12)):
        print("wrong", n, came)
print("temporary buffers")

byte_at = func("i", "byte_at", "si")
for n in range(200):
    if byte_at("text number %d, long enough not to be interned" % n, 12) != ord(str(n)[0]):
        print("wrong", n)
print("temporary strings")

# Results of callbacks stay until the next call of the same one.
copy_after = func("s", "copy_after", "CC")
for n in range(50):
    with ffi.callback("s", lambda: "result number %d of a callback that gives text" % n, "") as text:
        if copy_after(text, collect_cb) != "<result number %d of a callback that gives text>" % n:
            print("wrong", n)
print("results of callbacks")

# Functions and signatures come and go.
for n in range(300):
    codes = "".join("bhilq"[(n >> shift) % 5] for shift in range(6))
    f = func("i", "pick_i", "i" + "i" * 12)
    g = func("i", "answer", "")
    with ffi.callback("i", lambda *args: sum(args), codes) as cb:
        if ffi.func("i", cb.cfun(), codes)(1, 2, 3, 4, 5, 6) != 21 or f(3, *range(12)) != 3 or g() != 42:
            print("wrong", n)
print("functions")

# Big ints, floats and strings as arguments of callbacks, all new.
def mixed(*args):
    collect()
    return args == expected and 1


expected = (1 << 62, 2.5, b"text", (1 << 64) - 1, -(1 << 63))
with ffi.callback("i", mixed, "qdSQq") as cb:
    f = ffi.func("i", cb.cfun(), "qdSQq")
    print(sum(f(*expected) for _ in range(50)))

# A callback that is reached by C alone, among garbage.
keep, call_kept = func("v", "keep", "C"), func("i", "call_kept", "i")
for n in range(50):
    keep(ffi.callback("i", lambda x: x + len([bytearray(16) for _ in range(8)]), "i"))
print(call_kept(34))
