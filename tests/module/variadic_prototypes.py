# Prototypes with '...': further values go by their Python types.

import ffi
from support.peer import peer, tried

total = peer.func("double sum_all(const char *format, ...)")
print(total(""), total("q", 1 << 40), total("q", -5), total("d", 0.5), total("i", True), total("s", None))
print(total("qdsqds", 1, 0.25, "four", -2, 1.5, b"six b."))
print(total("qqqqqqqqdddddddddd", *range(8), *(0.5 for _ in range(10))))
print(total("s", bytearray(b"ab\0")), total("q", (1 << 64) - 1 - (1 << 63)))
# Another signature each time, and the same again.
print([total("qd"[i % 2], i if i % 2 == 0 else i + 0.5) for i in range(20)])
print([total("q" * n, *range(n)) for n in range(12)])


print(tried(total))
print(tried(total, 1.5))
print(tried(total, "q", 1 << 64))
print(tried(total, "q", -(1 << 63) - 1))
print(tried(total, "qq", 1, []))
print(tried(total, "q", 1j))
with ffi.callback("int (int)", lambda x: x) as callback:
    print(total("q", callback) == callback.cfun())
print(tried(total, "q", callback))
print(peer.func("struct { int x, y; } point_of(int n, ...)")(3, 4) == bytes((3, 0, 0, 0, 4, 0, 0, 0)))
print(tried(lambda: total(format="")))
