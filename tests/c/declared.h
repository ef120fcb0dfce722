// What the end of peer.c has. C's compiler reads this, and so does farcall.

struct mixed { int8_t a; double b; };
struct floats { float v[3]; };
struct large { int64_t v[5]; };
struct odd { uint8_t v[3]; };
struct bits { unsigned a : 3, b : 9; int c; };
struct over { _Alignas(64) int64_t v[2]; };
union number { int32_t i; double d; };
enum colour { RED, GREEN = 5, BLUE };

struct mixed scale_mixed(struct mixed m, int by);
struct floats reverse_floats(struct floats f);
struct odd turn_odd(struct odd o);
struct bits flip_bits(struct bits b);
union number half_number(union number n);
struct large shift_large(double by, struct large l, struct mixed m);
struct over make_over(int64_t a);

__int128 times(__int128 a, int64_t b);
unsigned __int128 flip_wide(int a, unsigned __int128 b);
long double third(long double a);
double _Complex times_i(double _Complex a);
float _Complex conjugate(float _Complex a);
_Bool not(_Bool a);
enum colour next_colour(enum colour c);
double weigh_more(int count, ...);
double weigh_structures(int rounds, ...);

typedef struct large make_large(struct mixed, struct large);
struct large call_large(make_large *f, int64_t a);
struct mixed call_mixed(struct mixed (*f)(struct mixed, int), struct mixed m);
long double call_long(long double (*f)(long double, __int128), __int128 a);
_Bool call_not(_Bool (*f)(_Bool), _Bool a);

extern struct mixed kept_mixed;
extern long double kept_long;
extern int kept_numbers[3];
extern _Bool kept_bool;
extern enum colour kept_colour;
