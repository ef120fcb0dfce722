# Callbacks that are called at their addresses, with nothing but ints and strs: no library is opened.

import ffi

# A callback, often enough for code to be made.
add = ffi.callback("q", lambda a, b: a + b, "qq")
call = ffi.func("q", add.cfun(), "qq")
total = 0
for i in range(2000):
    total = call(total, i)
print(total, call(-(1 << 40), 1 << 41))

# Every code of an int, cut to its width.
for code in "bBhHiIqQlL":
    same = ffi.callback(code, lambda x: x, code)
    print(code, ffi.func(code, same.cfun(), code)(-3 if code in "bhiql" else 200))

# Strings, None, and an object as it is.
text = ffi.callback("p", lambda s: s == b"a text", "S")
print(ffi.func("p", text.cfun(), "s")("a text"), ffi.func("p", text.cfun(), "s")("another"))
null = ffi.callback("p", lambda s: s is None, "S")
print(ffi.func("p", null.cfun(), "p")(None))
thing = [1, 2]
print(ffi.func("O", ffi.callback("O", lambda x: x, "O").cfun(), "O")(thing) is thing)


# An exception is raised by the call.
def fail():
    raise ValueError("from a callback")


failing = ffi.callback("i", fail, "")
try:
    print(ffi.func("i", failing.cfun(), "")())
except ValueError as e:
    print("ValueError", e.args)
failing.close()

# Floats work, or are said to be missing.
taking = ffi.callback("q", lambda x: int(x), "d")
giving = ffi.callback("d", lambda x: x, "q")
for use in (ffi.func("q", taking.cfun(), "d"), ffi.func("d", giving.cfun(), "q")):
    try:
        print(use(1) == 1)
    except TypeError as e:
        print("no floats" in str(e))
