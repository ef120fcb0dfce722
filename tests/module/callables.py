# A Python function where C wants a pointer to one: it is a callback for the time of the call.

import ffi
from support.peer import peer, tried

libc = ffi.open(None)
qsort = libc.func("void qsort(void *base, size_t n, size_t size, int (*compare)(const void *, const void *))")
letters = bytearray(b"farcall")
view = lambda address: ffi.as_bytearray(address, 1)[0]
qsort(letters, len(letters), 1, lambda a, b: view(a) - view(b))
print(letters)


# Anything that can be called; and None, an address, a callback and another function as well.
class Compare:
    def __call__(self, text, data):
        return 7

    def method(self, text, data):
        return 8


length_by = peer.func("int length_by(int (*f)(const char *text, void *data), const char *text, void *data)")
print(length_by(Compare(), "a", None), length_by(Compare().method, "a", None), length_by(lambda text, data: data, "a", 5))
# A text among a callback's arguments is an address: it may have no end.
print(length_by(lambda text, data: type(text) is int and view(text), "a", 5))
lend = peer.func("int lend(int (*f)(int))")
print(lend(None), lend(lambda x: x + 1), lend(peer.addr("echo_int")), lend(peer.func("int echo_int(int)")))
with ffi.callback("int (int)", lambda x: x + 10) as callback:
    print(lend(callback))
print(tried(lend, callback), "|", tried(lend, 1.5), "|", tried(lend, b"x"), "|", tried(lend, "x"))

# Later it is closed: that C calls it is told on stderr.
print(lend(lambda x: 5), peer.func("int call_lent(int)")(1))

# Exceptions come out, also what is wrong with the result.
print(tried(lend, lambda x: 1 // 0))
print(tried(lend, lambda x: None))
print(tried(lend, lambda x: 1 << 31))
print(tried(lend, lambda: 1))

# Calls within calls, and many of them.
print(lend(lambda x: lend(lambda y: y + 1) + 1))
print(sum(lend(lambda x: i) for i in range(1000)))

# The one that is made for an argument is closed even if another one is wrong.
print(tried(length_by, lambda a, b: 1, [], None))

# With typed callbacks.
compare = ffi.callback("int (const void *a, const void *b)", lambda a, b: view(b) - view(a))
qsort(letters, len(letters), 1, compare)
print(letters, repr(compare).split(" at ")[0], repr(compare).split(" ", 4)[4])
compare.close()
print(tried(qsort, letters, 7, 1, compare))

# A function pointer as a result, called by its address.
choose = peer.func("int (*choose(int which))(int, int)")
print(choose(0), ffi.func("int (int, int)", choose(1))(20, 22))
