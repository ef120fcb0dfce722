# Every code at every position, in registers and in memory: in calls and in callbacks, alone and mixed.

import ffi
from array import array
from support.peer import func

INTEGERS = {
    "b": [-128 + 7 * i for i in range(12)],
    "B": [255 - 7 * i for i in range(12)],
    "h": [-32768 + 701 * i for i in range(12)],
    "H": [65535 - 701 * i for i in range(12)],
    "i": [-(1 << 31) + 70001 * i for i in range(12)],
    "I": [(1 << 32) - 1 - 70001 * i for i in range(12)],
    "l": [-(1 << 31) + 70003 * i for i in range(12)],
    "L": [(1 << 32) - 1 - 70003 * i for i in range(12)],
    "q": [-(1 << 63) + 700000000001 * i for i in range(12)],
    "Q": [(1 << 64) - 1 - 700000000001 * i for i in range(12)],
}
FLOATS = [1.5 * i - 8 for i in range(12)]

given = dict(INTEGERS)
given["f"] = given["d"] = FLOATS
given["p"] = [-(1 << 48) + i for i in range(12)]

for code, values in sorted(given.items()):
    pick = func(code, "pick_" + code, "i" + 12 * code)
    print(code, [pick(i, *values) for i in range(12)] == values)

for code, values in sorted(given.items()):
    came = []
    cb = ffi.callback("v", lambda *args: came.append(args), 12 * code)
    func("v", "spread_" + code, "Cp")(cb, array("q" if code == "p" else code, values))
    print(code, len(came), list(came[0]) == values)

# What a C compiler makes of these and prints.
CODES = "bBhHiIlLqQfdp"


def group(n):
    return (
        -100 - n,
        200 + n,
        -30000 - n,
        60000 + n,
        -2000000000 - n,
        4000000000 + n,
        -2100000000 - n,
        4100000000 + n,
        -9000000000000000000 - n,
        18000000000000000000 + n,
        0.5 + n,
        -1.25 - n,
        0x7FFFFFFFFFF0 + n,
    )


print(func("s", "mixed_13", CODES)(*group(1)), end="")
print(func("s", "mixed_52", 4 * CODES)(*(group(1) + group(2) + group(3) + group(4))), end="")


def show(*args):
    for i in range(0, len(args), 13):
        print(args[i : i + 13], args[i : i + 13] == group(1 + i // 13))


func("v", "call_mixed_52", "C")(ffi.callback("v", show, 4 * CODES))


def weave(*args):
    print(args[:6], args[6] == 2.0**996)
    return args[0] + args[6] * 2.0**-996


print(func("d", "call_weave", "Ci")(ffi.callback("d", weave, "idfqfbd"), 41))
