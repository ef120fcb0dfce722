# Times CPython's ways to call C, net of the loop around the calls, and C's calls of a Python function: prints a line for
# each row. The peer's name says which way.

import ctypes
import platform
import sys
import time

PEER, LIBRARY, TABLE = sys.argv[1:4]
ROUNDS, TURN = int(sys.argv[4]), int(sys.argv[5]) * 1000

C_TYPES = {
    "v": ("void", None),
    "b": ("int8_t", ctypes.c_int8),
    "B": ("uint8_t", ctypes.c_uint8),
    "h": ("int16_t", ctypes.c_int16),
    "H": ("uint16_t", ctypes.c_uint16),
    "i": ("int32_t", ctypes.c_int32),
    "q": ("int64_t", ctypes.c_int64),
    "L": ("uint64_t", ctypes.c_uint64),
    "P": ("void *", ctypes.c_void_p),
    "f": ("float", ctypes.c_float),
    "d": ("double", ctypes.c_double),
}


class Pair(ctypes.Structure):
    _fields_ = [("first", ctypes.c_int64), ("second", ctypes.c_int64)]


class Ctypes:
    """The standard library's, with declared types."""

    def __init__(self):
        self.library = ctypes.CDLL(LIBRARY)
        self.version = f"CPython {platform.python_version()}"

    def function(self, ret, name, args):
        function = self.library[name]
        function.restype = C_TYPES[ret][1]
        function.argtypes = [C_TYPES[letter][1] for letter in args]
        return function

    def call_back(self, python):
        kind = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int32, ctypes.c_int32)
        function = self.library["call_back"]
        function.argtypes = [kind, ctypes.c_int64]
        callback = kind(python)
        return lambda n: function(callback, n)

    def structs(self):
        add, make = self.library["add_pair"], self.library["pair_of"]
        add.restype, add.argtypes = ctypes.c_int64, [Pair]
        make.restype, make.argtypes = Pair, [ctypes.c_int64, ctypes.c_int64]
        return add, make


class Cffi:
    """cffi in its ABI mode: nothing is compiled beforehand."""

    def __init__(self):
        import cffi

        self.ffi = cffi.FFI()
        self.ffi.cdef("int32_t call_back(int32_t (*f)(int32_t, int32_t), int64_t count);")
        self.version = f"{cffi.__version__} in CPython {platform.python_version()}"

    def function(self, ret, name, args):
        types = ", ".join(C_TYPES[letter][0] for letter in args)
        self.ffi.cdef(f"{C_TYPES[ret][0]} {name}({types});")
        return getattr(self.ffi.dlopen(LIBRARY), name)

    def call_back(self, python):
        callback = self.ffi.callback("int32_t(int32_t, int32_t)", python)
        function = self.ffi.dlopen(LIBRARY).call_back
        return lambda n: function(callback, n)

    def structs(self):
        self.ffi.cdef("""
            struct pair { int64_t first, second; };
            int64_t add_pair(struct pair pair);
            struct pair pair_of(int64_t first, int64_t second);
        """)
        library = self.ffi.dlopen(LIBRARY)
        return library.add_pair, library.pair_of


def timed(loop, count):
    start = time.thread_time_ns()
    loop(count)
    return time.thread_time_ns() - start


def calibrated(loop):
    count = 16
    while timed(loop, count) < TURN / 2:
        count *= 2
    best = min(timed(loop, count) for _ in range(3))
    return max(1, int(count * TURN / best))


def net(row, loop, base):
    count = calibrated(loop)
    samples = []
    for _ in range(ROUNDS):
        taken, subtracted = timed(loop, count), timed(base, count)
        samples.append(f"{(taken - subtracted) / count:.2f}@{subtracted / count:.2f}")
    print("sample", row, PEER, " ".join(samples), sep="\t")


def loop_of(call, function, argument=None):
    scope = {}
    exec(f"def make(f, p):\n def loop(n):\n  for i in range(n):\n   {call}\n return loop\n", scope)
    return scope["make"](function, argument)


def main():
    way = Cffi() if "cffi" in PEER else Ctypes()
    empty = loop_of("pass", None)
    with open(TABLE) as table:
        for line in table:
            name, ret, args, values, ends, *_ = line.split() if line[0] != "#" else [""] * 6
            if name in ("add2", "mixed8"):
                function = way.function(ret, f"{name}_ends", args)
                assert eval(f"f({values})", {"f": function}) == eval(ends)
                net(f"peers/{name}", loop_of(f"f({values})", function), empty)
    add, make = way.structs()
    pair = make(1, 2)
    assert add(pair) == 3
    net("peers/struct", loop_of("f(p)", add, pair), empty)
    net("peers/struct result", loop_of("f(1, 2)", make), empty)
    call_back = way.call_back(lambda a, b: a + b)
    assert call_back(3) == 3
    net("peers/callback", call_back, lambda n: None)
    print("version", PEER, way.version, sep="\t")


main()
