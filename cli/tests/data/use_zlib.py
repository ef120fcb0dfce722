import z

print(hex(z.crc32(0, b"123456789", 9)))
text = b"to be or not to be, " * 20
packed = bytearray(z.compressBound(len(text)))
size = z.types.new("uLongf")
size[0] = len(packed)
print(z.compress(packed, size, text, len(text)) == z.Z_OK, size[0] < 60)

# In a stream, whose structure is the header's.
stream = z.types.new("z_stream")
print(z.inflateInit_(stream, z.ZLIB_VERSION, z.types.sizeof("z_stream")) == z.Z_OK)
unpacked = bytearray(len(text))
import uctypes

stream.next_in, stream.avail_in = uctypes.addressof(packed), size[0]
stream.next_out, stream.avail_out = uctypes.addressof(unpacked), len(unpacked)
print(z.inflate(stream, z.Z_FINISH) == z.Z_STREAM_END, unpacked == text, stream.total_out)
print(z.inflateEnd(stream) == z.Z_OK)
