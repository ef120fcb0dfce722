#include "shapes.h"

#include <stdarg.h>
#include <stdlib.h>

struct canvas {
    colour_t background;
};

int canvas_count;

double length(point_t point) {
    return point.x + point.y;
}

struct packed pack(char kind, int value) {
    return (struct packed){kind, value};
}

int visit(const canvas *on, visitor visit, void *context) {
    struct flags shape = {.visible = 1, .layer = 3, .weight = 2.5, .at = {{1, 2}, {3, 4}}, .colour = on->background};
    return visit(context, &shape);
}

canvas *new_canvas(size_t size, colour_t background) {
    canvas *made = calloc(1, size < sizeof(canvas) ? sizeof(canvas) : size);
    if (made) {
        made->background = background;
        canvas_count++;
    }
    return made;
}

void print_canvas(FILE *to, const canvas *it) {
    fprintf(to, "canvas %d\n", it->background);
}

style_t style_of(const canvas *it) {
    return (style_t){WIDE, it->background};
}

int sum(int count, ...) {
    va_list more;
    va_start(more, count);
    int all = 0;
    while (count-- > 0) {
        all += va_arg(more, int);
    }
    va_end(more);
    return all;
}

int old_name(int number) {
    return number + 1;
}
