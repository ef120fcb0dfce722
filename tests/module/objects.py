# Calls take and give objects directly wherever code is made, small ints are words with the lowest bit set and floats are doubles;
# elsewhere, and where the interpreter has to help, they go through slots; and where it has a lock to give up around them. Code is made once
# a signature has been used some times.

import ffi
import sys
from support.peer import func, peer

has_lock = getattr(sys.implementation, "_thread", "") == "GIL"
is_direct = ffi.generates_code() and id(1) == 3 and 1e300 < float("inf") and not has_lock


# The call operation in a function object, its fourth word.
def operation(function):
    return bytes(ffi.as_bytearray(id(function) + 24, 8))


# Calls a function often enough for code to pay. What it is called with is null, zero or empty.
def use(function, codes):
    null = {"d": 0.0, "f": 0.0, "p": None, "C": None, "s": "", "S": b""}
    args = [null.get(code, 0) for code in codes]
    for _ in range(2400):
        function(*args)


slots = operation(func("O", "pass_p", "O"))
function = func("p", "pass_p", "O")
use(function, "O")
print(operation(function) == slots)
for signature in ("v", "iii", "ddd", "ffi", "ppsC", "spqQbBhHlLiI", "q" + 20 * "dq"):
    function = func(signature[0], "pass_p", signature[1:])
    first = operation(function)
    use(function, signature[1:])
    print(signature, first == slots, (operation(function) != slots) == is_direct)
    # One that is made now has the code at once.
    print(operation(func(signature[0], "pass_p", signature[1:])) == operation(function))


# The code that C enters, by the record of a callback's thunk, which the thunk finds at a distance from its own second instruction.
def entry(callback):
    start = callback.cfun()
    code = bytes(ffi.as_bytearray(start, 16))
    if code[0] == 0xF3:  # endbr64; lea r10, [rip + distance]
        record = start + 11 + int.from_bytes(code[7:11], "little")
    else:  # bti c; adr x16, distance; in thunks that are part of the program: adrp x16, pages; add x16, x16, rest
        adr, add = (int.from_bytes(code[at : at + 4], "little") for at in (4, 8))
        distance = (adr >> 5 & 0x7FFFF) << 2 | adr >> 29 & 3
        if adr >> 31:
            record = (start + 4 & -4096) + (distance << 12) + (add >> 10 & 0xFFF)
        else:
            record = start + 4 + distance
    return bytes(ffi.as_bytearray(record, 8))


# A callback for signal handlers goes through slots, as no call of ours is in progress where it is called; so does one that takes an
# object as it is.
def ignore(*args):
    return 0


# The same without memory for the arguments, as a callback for signal handlers must do.
ignore_few = {0: lambda: 0, 2: lambda a, b: 0, 4: lambda a, b, c, d: 0, 9: lambda a, b, c, d, e, f, g, h, i: 0}

for signature in ("v", "ipp", "iiI", "qQqQqQqQqQ", "vbBhH", "ddf", "f" + 10 * "fd", "isS", "iO"):
    callbacks = [ffi.callback(signature[0], ignore, signature[1:], lock=lock) for lock in (False, True)]
    first = list(map(entry, callbacks))
    print(signature, first[0] == first[1])
    use(ffi.func(signature[0], callbacks[0].cfun(), signature[1:]), signature[1:])
    plain, locked = map(entry, callbacks)
    print((plain != locked) == ffi.generates_code())
    if not set(signature) & set("dfsSO"):
        callback = ffi.callback(signature[0], ignore_few[len(signature) - 1], signature[1:], lock=True)
        use(ffi.func(signature[0], callback.cfun(), signature[1:]), signature[1:])
        print((entry(callback) != plain) == is_direct, (entry(callback) != first[1]) == ffi.generates_code())
