/* Policies against executable memory, for tests. Each has the kernel refuse it to this process, and to every program that it
   starts, unless it is a file's. Returns 0, or -1 if the kernel knows no such policy. */

#ifndef FARCALL_TEST_POLICY_H
#define FARCALL_TEST_POLICY_H

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* What systemd's MemoryDenyWriteExecute sets where the kernel has it. */
static int refuse_by_mdwe(void) {
    enum { SET_MDWE = 65, REFUSE_EXEC_GAIN = 1 };
    return prctl(SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0);
}

/* What it sets elsewhere, and more: no anonymous memory may be mapped as executable, no memory at all as writable and executable, and
   none may become executable. (mremap() moves pages with the rights they have, so nothing is to be refused there.) */
static int refuse_by_seccomp(void) {
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF(test, value, then, otherwise) BPF_JUMP(BPF_JMP | (test) | BPF_K, value, then, otherwise)
#define ANSWER(value) BPF_STMT(BPF_RET | BPF_K, value)
    enum { RIGHTS = 2, FLAGS = 3 }; /* arguments of mmap(); rights are the same of mprotect() */
    struct sock_filter filter[] = {
        LOAD(nr),
        IF(BPF_JEQ, SYS_mmap, 3, 0),
        IF(BPF_JEQ, SYS_mprotect, 7, 0),
        IF(BPF_JEQ, SYS_pkey_mprotect, 6, 0),
        ANSWER(SECCOMP_RET_ALLOW),
        LOAD(args[RIGHTS]), /* mmap */
        IF(BPF_JSET, PROT_EXEC, 0, 6),
        IF(BPF_JSET, PROT_WRITE, 4, 0),
        LOAD(args[FLAGS]),
        IF(BPF_JSET, MAP_ANONYMOUS, 2, 3),
        LOAD(args[RIGHTS]), /* mprotect */
        IF(BPF_JSET, PROT_EXEC, 0, 1),
        ANSWER(SECCOMP_RET_ERRNO | EPERM),
        ANSWER(SECCOMP_RET_ALLOW),
    };
#undef LOAD
#undef IF
#undef ANSWER
    struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* Sets the policy of that name, and sees that it holds. */
static int refuse_by(const char *name) {
    int set = strcmp(name, "mdwe") == 0 ? refuse_by_mdwe() : strcmp(name, "seccomp") == 0 ? refuse_by_seccomp() : -1;
    if (set != 0)
        return -1;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int refused = page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) != 0;
    munmap(page, 4096);
    return refused ? 0 : -1;
}

#endif
