# Functions of floats: C's mathematics, in double and in single precision.

import ffi


def open_first(*names):
    for name in names:
        try:
            return ffi.open(name)
        except OSError as e:
            error = e
    raise error


libm = open_first("libm.so.6", "libm.so", "libc.so.0", "libc.so", "libm.dylib", "libSystem.dylib", "ucrtbase.dll")

hypot = libm.func("d", "hypot", "dd")
powf = libm.func("f", "powf", "ff")
tgamma = libm.func("d", "tgamma", "d")
ldexp = libm.func("d", "ldexp", "di")

print("hypot(3, 4) =", hypot(3, 4))
print("powf(2, 0.5) = %.6f" % powf(2, 0.5))
print("10! =", tgamma(11))
print("0.75 * 2**10 =", ldexp(0.75, 10))

# A result through a pointer: frexp() gives the fraction back and stores the exponent.
frexp = libm.func("d", "frexp", "dp")
exponent = bytearray(4)
fraction = frexp(48.0, exponent)
print("48 =", fraction, "* 2 **", int.from_bytes(exponent, "little"))

# The wrong kind of value is an error that says which.
try:
    hypot(3, "four")
except TypeError as e:
    print(e)
