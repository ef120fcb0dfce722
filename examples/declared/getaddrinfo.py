"""A list that C allocates: getaddrinfo() for an address in numbers, each entry and its socket address as a struct.

It prints:

    127.0.0.1 port 80 stream
    127.0.0.1 port 80 datagram
    ::1 port 443 stream
    not numbers: Name or service not known
"""

import ffi
import uctypes

c = ffi.cdef("""
    typedef uint32_t socklen_t;
    struct sockaddr;
    struct addrinfo {
        int ai_flags, ai_family, ai_socktype, ai_protocol;
        socklen_t ai_addrlen;
        struct sockaddr *ai_addr;
        char *ai_canonname;
        struct addrinfo *ai_next;
    };
    enum { SOCK_STREAM = 1, SOCK_DGRAM };
    enum { AI_NUMERICHOST = 4, AI_NUMERICSERV = 0x400, NI_NUMERIC = 3 };
    int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **list);
    void freeaddrinfo(struct addrinfo *list);
    int getnameinfo(const struct sockaddr *address, socklen_t size, char *host, socklen_t host_size,
                    char *service, socklen_t service_size, int flags);
    const char *gai_strerror(int error);
""")
libc = ffi.open("libc.so.6", c)


def text(buffer):
    return bytes(buffer).split(b"\0")[0].decode()


def show(node, service, **hints):
    hints = c.new("struct addrinfo", ai_flags=c.AI_NUMERICHOST | c.AI_NUMERICSERV, **hints)
    first = c.new("struct addrinfo *")
    error = libc.getaddrinfo(node, service, hints, first)
    if error != 0:
        return print("not numbers:", libc.gai_strerror(error))
    host, port = bytearray(64), bytearray(16)
    entry = first[0]
    while entry != 0:
        info = uctypes.struct(entry, c.layout("struct addrinfo"))
        libc.getnameinfo(info.ai_addr, info.ai_addrlen, host, len(host), port, len(port), c.NI_NUMERIC)
        kinds = {c.SOCK_STREAM: "stream", c.SOCK_DGRAM: "datagram"}
        if info.ai_socktype in kinds:
            print(text(host), "port", text(port), kinds[info.ai_socktype])
        entry = info.ai_next
    libc.freeaddrinfo(first[0])


show("127.0.0.1", "80")
show("::1", "443", ai_socktype=c.SOCK_STREAM)
show("localhost", "80")
