/* Refuses memory: loaded ahead of the C library, it lets so many requests of the armed kinds pass, and refuses all that follow. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);

enum { MALLOC = 1, MMAP = 2, MREMAP = 4, MPROTECT = 8 };
static volatile int kinds;
static volatile long left, refused;

void refuse(int of_kinds, long after) { kinds = of_kinds, left = after, refused = 0; }
long refusals(void) { kinds = 0; return refused; }

static int is_refused(int kind) {
    if (!(kinds & kind) || left-- > 0) {
        return 0;
    }
    left = 0;
    ++refused;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size) { return is_refused(MALLOC) ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return is_refused(MALLOC) ? NULL : __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { return is_refused(MALLOC) ? NULL : __libc_realloc(old, size); }
void *aligned_alloc(size_t align, size_t size) { return is_refused(MALLOC) ? NULL : __libc_memalign(align, size); }
int posix_memalign(void **place, size_t align, size_t size) {
    return is_refused(MALLOC) || !(*place = __libc_memalign(align, size)) ? ENOMEM : 0;
}
void *mmap(void *at, size_t len, int rights, int flags, int fd, off_t offset) {
    return is_refused(MMAP) ? MAP_FAILED : (void *)syscall(SYS_mmap, at, len, rights, flags, fd, offset);
}
void *mmap64(void *at, size_t len, int rights, int flags, int fd, off_t offset) { return mmap(at, len, rights, flags, fd, offset); }
int mprotect(void *at, size_t len, int rights) { return is_refused(MPROTECT) ? -1 : (int)syscall(SYS_mprotect, at, len, rights); }
void *mremap(void *old, size_t old_len, size_t new_len, int flags, ...) {
    va_list more;
    va_start(more, flags);
    void *at = va_arg(more, void *);
    va_end(more);
    return is_refused(MREMAP) ? MAP_FAILED : (void *)syscall(SYS_mremap, old, old_len, new_len, flags, at);
}
