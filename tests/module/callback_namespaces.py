# Callbacks that take structs and enums hold on to no namespace once they are gone, whatever their function pointers are used for.

import gc
import ffi

TEXT = """
    enum colour { RED_%d, BLUE_%d = 5 };
    struct pair { int a_%d, b; };
    struct only_in_%d { int x; };
    typedef enum colour (*paint_t)(struct pair, enum colour);
"""


def round(number):
    t = ffi.cdef(TEXT.replace("%d", str(number)))
    add = ffi.callback("enum colour (struct pair p, enum colour c)", lambda p, c: getattr(p, "a_%d" % number) + p.b + c)
    pick = ffi.callback("enum colour (struct pair p, enum colour c)", lambda p, c: "BLUE_%d" % number)
    swap = ffi.callback("struct pair (struct pair p)", lambda p: bytes(reversed(bytes(memoryview(p)))))
    plain = ffi.callback("enum colour (int)", lambda n: "BLUE_%d" % number if n else n)
    call = ffi.func("enum colour (struct pair p, enum colour c)", add.cfun())
    named = ffi.func("enum colour (struct pair p, enum colour c)", pick.cfun())
    turned = ffi.func("struct pair (struct pair p)", swap.cfun())
    short = ffi.func("enum colour (int)", plain.cfun())
    pair = t.new("struct pair", b=2)
    setattr(pair, "a_%d" % number, 1)
    sums = (call(pair, 3), named(pair, 0), turned(pair).b == 1 << 24, short(1), short(0))
    for callback in (add, pick, swap, plain):
        callback.close()
    return sums


def is_known(number):
    try:
        ffi.sizeof("struct only_in_%d" % number)
        return True
    except ValueError:
        return False


def memory():
    # What C has allocated shows in the process's size.
    try:
        with open("/proc/self/statm") as f:
            return int(f.read().split()[1]) * 4096
    except OSError:
        return 0


ROUNDS = 1000
results = set()
known = 0
for number in range(ROUNDS):
    results.add(round(number))
    if number % 50 == 0:
        gc.collect()
    if number == ROUNDS // 2:
        before = memory()
print(results)
for _ in range(3):
    gc.collect()
    round(ROUNDS)
gc.collect()
# The collector may take a few words on the stack for references.
known = sum(is_known(number) for number in range(ROUNDS))
print("namespaces that stay:", "few" if known < 10 else known)
grown = memory() - before
print("memory stays:", True if grown < 1_000_000 else grown)

# One that closes itself still answers by a name of its own.
t = ffi.cdef(TEXT.replace("%d", "9"))
holder = []


def closes(p, c):
    holder[0].close()
    return "BLUE_9"


def closes_short(n):
    holder[0].close()
    return "BLUE_9"


for _ in range(2000):
    holder[:] = [ffi.callback("enum colour (struct pair p, enum colour c)", closes)]
    answer = ffi.func("enum colour (struct pair p, enum colour c)", holder[0].cfun())(t.new("struct pair"), 0)
    holder[:] = [ffi.callback("enum colour (int)", closes_short)]
    if (answer, ffi.func("enum colour (int)", holder[0].cfun())(1)) != (5, 5):
        print("wrong")
        break
else:
    print("by name:", answer)
try:
    wrong = ffi.callback("enum colour (int)", lambda n: "GREEN")
    ffi.func("enum colour (int)", wrong.cfun())(1)
except ValueError as error:
    print(error)
except TypeError as error:
    print(error)
