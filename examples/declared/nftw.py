"""C walks a directory tree and calls Python for each file, with a struct that holds bit-fields' worth of flags beside it.

It prints:

    0 D tree
    1 D inner
    1 F one.txt 3
    2 F two.txt 5
    4 files
"""

import ffi
import os
import uctypes

c = ffi.cdef("""
    typedef unsigned long dev_t, ino_t, nlink_t;
    struct FTW { int base; int level; };
    enum { FTW_F, FTW_D, FTW_DNR, FTW_NS, FTW_SL, FTW_DP, FTW_SLN };
    enum { FTW_PHYS = 1 };
    struct stat;
    int nftw(const char *path, int (*visit)(const char *path, const struct stat *status, int type, struct FTW *walk),
             int descriptors, int flags);
    size_t strlen(const char *text);
    void *memcpy(void *to, const void *from, size_t n);
""")
libc = ffi.open("libc.so.6", c)

root = "/tmp/farcall-%d" % ffi.open(None).func("int getpid(void)")()
for directory in (root, root + "/tree", root + "/tree/inner"):
    os.mkdir(directory)
for name, text in (("one.txt", "one"), ("inner/two.txt", "three")):
    with open(root + "/tree/" + name, "w") as file:
        file.write(text)

seen = []


def visit(path, status, kind, walk):
    text = uctypes.bytes_at(path, libc.strlen(path)).decode()
    walk = uctypes.struct(walk, c.layout("struct FTW"))
    size = os.stat(text)[6] if kind == c.FTW_F else ""
    seen.append("%d %s %s %s" % (walk.level, "FD"[kind], text[walk.base:], size))
    return 0


libc.nftw(root + "/tree", visit, 8, c.FTW_PHYS)
for line in sorted(seen):
    print(line.rstrip())
print(len(seen), "files")
os.system("rm -r " + root)
