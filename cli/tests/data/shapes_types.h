typedef struct {
    double x, y;
} point_t;

typedef struct unused { int a; } unused_t;
