"""Structs that C fills in, and constants: a pseudo-terminal whose echo is turned off.

It prints:

    echo: True
    echo: False
    end of file: 4 rows and columns: 24 80
"""

import ffi

c = ffi.cdef("""
    typedef unsigned char cc_t;
    typedef unsigned int speed_t, tcflag_t;
    #define NCCS 32
    struct termios {
        tcflag_t c_iflag, c_oflag, c_cflag, c_lflag;
        cc_t c_line;
        cc_t c_cc[NCCS];
        speed_t c_ispeed, c_ospeed;
    };
    struct winsize { unsigned short ws_row, ws_col, ws_xpixel, ws_ypixel; };
    enum { VEOF = 4, TCSANOW = 0, ECHO = 010, TIOCGWINSZ = 0x5413 };
    int openpty(int *main, int *terminal, char *name, const struct termios *mode, const struct winsize *size);
    int tcgetattr(int fd, struct termios *mode);
    int tcsetattr(int fd, int when, const struct termios *mode);
    int ioctl(int fd, unsigned long request, ...);
""")
libc = ffi.open("libc.so.6", c)

main, terminal = c.new("int"), c.new("int")
size = c.new("struct winsize", ws_row=24, ws_col=80)
if libc.openpty(main, terminal, None, None, size) != 0:
    raise OSError(ffi.errno())
fd = terminal[0]


def echoes():
    mode = c.new("struct termios")
    libc.tcgetattr(fd, mode)
    return mode, bool(mode.c_lflag & c.ECHO)


mode, is_on = echoes()
print("echo:", is_on)
mode.c_lflag &= ~c.ECHO
libc.tcsetattr(fd, c.TCSANOW, mode)
print("echo:", echoes()[1])

size = c.new("struct winsize")
libc.ioctl(fd, c.TIOCGWINSZ, size)
print("end of file:", mode.c_cc[c.VEOF], "rows and columns:", size.ws_row, size.ws_col)
close = libc.func("int close(int fd)")  # a library has a close() of its own
for each in (main, terminal):
    close(each[0])
