# ffi.as_bytearray: memory of C's as a bytearray.

import ffi
import uctypes
from support.peer import peer, raises

address = peer.addr("var_b")
view = ffi.as_bytearray(address, 8)
print(type(view), len(view), view)
view[1] = 42
print(ffi.as_bytearray(address + 1, 1)[0])
view[1] = 1
data = bytearray(b"data")
same = ffi.as_bytearray(uctypes.addressof(data), len(data))
same[0] = ord("D")
print(data, bytes(same[1:3]))
print(ffi.as_bytearray(address, 0), ffi.as_bytearray(0, 0))
# Addresses of the upper half may be written with a sign, as uctypes shows them before MicroPython 1.25.
print(uctypes.addressof(ffi.as_bytearray(-4096, 0)) & ((1 << 64) - 1) == (1 << 64) - 4096)

raises("NULL", ValueError, ("NULL",), ffi.as_bytearray, 0, 1)
raises("NULL by its low bits", ValueError, ("NULL",), ffi.as_bytearray, 1 << 64, 1)
raises("a negative size", ValueError, ("size",), ffi.as_bytearray, address, -1)
raises("a huge size", OverflowError, (), ffi.as_bytearray, address, 1 << 70)
for bad in (None, "1", 1.5, [], b"x", True):
    raises("address " + type(bad).__name__, TypeError, (type(bad).__name__,), ffi.as_bytearray, bad, 1)
for bad in (None, "1", [], b"x"):
    raises("size " + type(bad).__name__, TypeError, (), ffi.as_bytearray, address, bad)
