# Calls take and give objects directly wherever code is made and small ints are words with the lowest bit set; elsewhere, and where
# the interpreter has to help, they go through slots.

import ffi
from support.peer import func, peer

is_direct = ffi.generates_code() and id(1) == 3


# The call operation in a function object, its fourth word.
def operation(function):
    return bytes(ffi.as_bytearray(id(function) + 24, 8))


slots = operation(func("O", "pass_p", "O"))
print(operation(func("p", "pass_p", "O")) == slots)
for signature in ("v", "iii", "ddd", "ffi", "ppsC", "spqQbBhHlLiI", "q" + 20 * "dq"):
    function = func(signature[0], "answer", signature[1:])
    print(signature, (operation(function) != slots) == is_direct)


# The code that C enters, by the record of a callback's thunk, which the thunk finds at a distance from its own second instruction.
def entry(callback):
    start = callback.cfun()
    code = bytes(ffi.as_bytearray(start, 16))
    if code[0] == 0xF3:  # endbr64; lea r10, [rip + distance]
        record = start + 11 + int.from_bytes(code[7:11], "little")
    else:  # bti c; adr x16, distance
        adr = int.from_bytes(code[4:8], "little")
        record = start + 4 + ((adr >> 5 & 0x7FFFF) << 2 | adr >> 29 & 3)
    return bytes(ffi.as_bytearray(record, 8))


# A callback for signal handlers goes through slots, as no call of ours is in progress where it is called; so does one that takes an
# object as it is.
for signature in ("v", "ipp", "iiI", "qQqQqQqQqQ", "vbBhH", "ddf", "f" + 10 * "fd", "isS", "iO"):
    callbacks = [ffi.callback(signature[0], print, signature[1:], lock=lock) for lock in (False, True)]
    plain, locked = map(entry, callbacks)
    print(signature, (plain != locked) == (is_direct and "O" not in signature))
