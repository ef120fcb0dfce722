/* What the programs here check by: prints a line a failure, and counts them. */

#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>

static int failures;

#define CHECK(condition)                                            \
    do {                                                            \
        if (!(condition)) {                                         \
            failures++;                                             \
            printf("%s: not so: %s\n", __func__, #condition);       \
        }                                                           \
    } while (0)

#endif
