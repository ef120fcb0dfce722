/* Starts a program under a policy against executable memory.

   hardened POLICY PROGRAM ARGUMENT... */

#include "policy.h"
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc < 3 || refuse_by(argv[1]) != 0) {
        fputs("hardened: no such policy here\n", stderr);
        return 125;
    }
    execv(argv[2], argv + 2);
    perror(argv[2]);
    return 126;
}
