# Buffers in and out: checksums and compression with zlib.

import ffi
from array import array


def open_first(*names):
    for name in names:
        try:
            return ffi.open(name)
        except OSError as e:
            error = e
    raise error


libz = open_first("libz.so.1", "libz.so", "libz.dylib", "zlib1.dll")

crc32 = libz.func("L", "crc32", "LPI")
print("crc32: %08x" % crc32(0, b"123456789", 9))

# int compress(Bytef *dest, uLongf *dest_len, const Bytef *source, uLong source_len): 0 is success.
compress = libz.func("i", "compress", "ppPL")
uncompress = libz.func("i", "uncompress", "ppPL")
bound = libz.func("L", "compressBound", "L")

text = b"to be or not to be, that is the question: " * 20
packed = bytearray(bound(len(text)))
size = array("L", [len(packed)])
print("compress:", compress(packed, size, text, len(text)), "smaller:", size[0] < len(text) // 5)

unpacked = bytearray(len(text))
unpacked_size = array("L", [len(unpacked)])
print("uncompress:", uncompress(unpacked, unpacked_size, packed, size[0]), "same:", unpacked == text)

# A result that is a string.
version = libz.func("s", "zlibVersion", "")()
print("version 1:", version.startswith("1."))
