"""zlib's stream interface: a struct with pointers into buffers, filled again and again.

It prints:

    crc32: cbf43926
    compressed in 3 steps: True
    the same again: True
"""

import ffi
import uctypes

c = ffi.cdef("""
    typedef unsigned char Bytef;
    typedef unsigned int uInt;
    typedef unsigned long uLong;
    typedef struct z_stream_s {
        const Bytef *next_in; uInt avail_in; uLong total_in;
        Bytef *next_out; uInt avail_out; uLong total_out;
        const char *msg; struct internal_state *state;
        void *(*zalloc)(void *, uInt, uInt); void (*zfree)(void *, void *); void *opaque;
        int data_type; uLong adler; uLong reserved;
    } z_stream;
    enum { Z_NO_FLUSH = 0, Z_FINISH = 4, Z_OK = 0, Z_STREAM_END = 1 };
    uLong crc32(uLong crc, const Bytef *bytes, uInt size);
    int deflateInit_(z_stream *stream, int level, const char *version, int size);
    int deflate(z_stream *stream, int flush);
    int deflateEnd(z_stream *stream);
    int uncompress(Bytef *to, uLong *to_size, const Bytef *from, uLong size);
    const char *zlibVersion(void);
""")
zlib = ffi.open("libz.so.1", c)
print("crc32: %08x" % zlib.crc32(0, b"123456789", 9))

text = b"to be or not to be, that is the question: " * 30
parts = [text[i : i + 500] for i in range(0, len(text), 500)]
packed = bytearray(2000)
stream = c.new("z_stream", next_out=uctypes.addressof(packed), avail_out=len(packed))
assert zlib.deflateInit_(stream, 9, zlib.zlibVersion(), c.sizeof("z_stream")) == c.Z_OK
for i, part in enumerate(parts):
    stream.next_in, stream.avail_in = uctypes.addressof(part), len(part)
    status = zlib.deflate(stream, c.Z_FINISH if i == len(parts) - 1 else c.Z_NO_FLUSH)
print("compressed in", len(parts), "steps:", status == c.Z_STREAM_END and stream.total_out < 100)
zlib.deflateEnd(stream)

unpacked = bytearray(len(text))
size = c.new("unsigned long")
size[0] = len(unpacked)
zlib.uncompress(unpacked, size, packed, stream.total_out)
print("the same again:", unpacked == text)
