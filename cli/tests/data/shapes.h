/* What headers have: what bindings keep, and what they leave. */
#include <stddef.h>
#include <stdio.h>
#include "shapes_types.h"

#define SHAPES_VERSION "1.\"2\""
#define SHAPES_LIMIT (1 << 4)
#define SHAPES_RATIO 0.5
#define SHAPES_CALL(x) (x)
#define SHAPES_API __attribute__((visibility("default")))

enum { SHAPES_OK, SHAPES_ERROR = -7 };

typedef enum colour { RED, GREEN = 5, BLUE } colour_t;

typedef struct canvas canvas;

struct packed {
    char kind;
    int value __attribute__((packed));
};

struct flags {
    unsigned visible : 1, layer : 7;
    union {
        double weight;
        long id;
    };
    struct {
        short x, y;
    } at[2];
    colour_t colour;
};

typedef struct {
    enum { NARROW, WIDE } width;
    colour_t colour;
} style_t;

typedef int (*visitor)(void *context, const struct flags *shape);

SHAPES_API double length(point_t point);
SHAPES_API struct packed pack(char kind, int value);
SHAPES_API int visit(const canvas *on, visitor visit, void *context);
SHAPES_API canvas *new_canvas(size_t size, colour_t background);
SHAPES_API void print_canvas(FILE *to, const canvas *it);
SHAPES_API style_t style_of(const canvas *it);
SHAPES_API int sum(int count, ...);
SHAPES_API int old_name(int number) __asm__("new_name");
SHAPES_API extern int canvas_count;

struct never_seen;
int not_exported(struct never_seen *it);
static inline int twice(int number) { return 2 * number; }
