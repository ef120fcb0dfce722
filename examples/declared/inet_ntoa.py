"""A struct by value as an argument: inet_ntoa() takes one, and its result is a str.

It prints:

    127.0.0.1
    10.1.2.3 in bytes: 0a010203
    192.168.0.255
"""

import ffi
import uctypes

c = ffi.cdef("""
    typedef uint32_t in_addr_t;
    struct in_addr { in_addr_t s_addr; };
    char *inet_ntoa(struct in_addr address);
    int inet_aton(const char *text, struct in_addr *address);
    uint32_t htonl(uint32_t number);
""")
libc = ffi.open("libc.so.6", c)

print(libc.inet_ntoa(c.new("struct in_addr", s_addr=libc.htonl(0x7F000001))))

address = c.new("struct in_addr")
libc.inet_aton("10.1.2.3", address)
print(libc.inet_ntoa(address), "in bytes:", uctypes.bytes_at(uctypes.addressof(address), 4).hex())

# Any buffer of exactly its size is one, too.
print(libc.inet_ntoa(bytes([192, 168, 0, 255])))
