/* What works without memory: everything but taking a closure, which may fail, and giving one back never does. Each round refuses the N-th request
   and all later ones, in a child, for every N until none is refused; malloc, mmap, or both. */
#define _GNU_SOURCE
#include "check.h"

#include <errno.h>
#include <ffi.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);

enum { MALLOC = 1, MMAP = 2 };
static volatile int kinds;
static volatile long left, refused;

static int is_refused(int kind)
{
	if (!(kinds & kind) || left-- > 0)
		return 0;
	left = 0;
	refused++;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t size) { return is_refused(MALLOC) ? NULL : __libc_malloc(size); }
void *calloc(size_t n, size_t size) { return is_refused(MALLOC) ? NULL : __libc_calloc(n, size); }
void *realloc(void *old, size_t size) { return is_refused(MALLOC) ? NULL : __libc_realloc(old, size); }
int posix_memalign(void **place, size_t align, size_t size)
{
	return is_refused(MALLOC) || !(*place = __libc_memalign(align, size)) ? ENOMEM : 0;
}
void *mmap(void *at, size_t len, int rights, int flags, int fd, off_t offset)
{
	return is_refused(MMAP) ? MAP_FAILED : (void *)syscall(SYS_mmap, at, len, rights, flags, fd, offset);
}

typedef struct { double x, y; } pair;
typedef struct { char bytes[5000]; } large;

static ffi_type *pair_parts[] = {&ffi_type_double, &ffi_type_double, NULL}, *large_parts[5001];
static ffi_type pair_type = {0, 0, FFI_TYPE_STRUCT, pair_parts}, large_type = {0, 0, FFI_TYPE_STRUCT, large_parts};
static ffi_type *types[] = {&ffi_type_sint, &pair_type, &large_type, &ffi_type_sint8};
static ffi_cif cif;
static ffi_closure *closure;
static void *code;

static int sum(int a, pair b, large c, signed char d) { return a + (int)b.x + (int)b.y + c.bytes[4999] + d; }

static void handler(ffi_cif *of, void *result, void **values, void *data)
{
	(void)of;
	*(ffi_arg *)result = sum(*(int *)values[0], *(pair *)values[1], *(large *)values[2], *(signed char *)values[3]) + (data != NULL);
}

static int prepare(void) { return ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 4, &ffi_type_sint, types) == FFI_OK; }

static int call(void)
{
	static large c = {{0}};
	int a = 1;
	pair b = {2, 3};
	signed char d = -5;
	void *values[] = {&a, &b, &c, &d};
	c.bytes[4999] = 10;
	for (int i = 0; i < 300; i++) {
		ffi_arg result = 0;
		ffi_call(&cif, FFI_FN(sum), &result, values);
		if ((int)result != 11)
			return 0;
	}
	return 1;
}

static int variadic(void)
{
	ffi_cif of;
	ffi_type *all[] = {&ffi_type_sint, &ffi_type_double, &ffi_type_pointer};
	return ffi_prep_cif_var(&of, FFI_DEFAULT_ABI, 1, 3, &ffi_type_sint, all) == FFI_OK;
}

static int take(void)
{
	for (int i = 0; i < 3000; i++) {
		void *to;
		ffi_closure *one = ffi_closure_alloc(sizeof *one, &to);
		if (!one)
			return refused > 0;
		if (i % 2)
			ffi_closure_free(one);
	}
	return 1;
}

static int prepare_closure(void) { return ffi_prep_closure_loc(closure, &cif, handler, NULL, code) == FFI_OK; }

static int enter(void)
{
	static large c;
	pair b = {2, 3};
	c.bytes[4999] = 10;
	for (int i = 0; i < 300; i++)
		if (((int (*)(int, pair, large, signed char))code)(1, b, c, -5) != 11)
			return 0;
	return 1;
}

static int give_back(void) { ffi_closure_free(closure); return 1; }

static int raw(void)
{
	ffi_cif of;
	ffi_type *all[100];
	ffi_raw block[100] = {{0}};
	ffi_arg result = 0;
	for (int i = 0; i < 100; i++)
		all[i] = &ffi_type_sint64;
	if (ffi_prep_cif(&of, FFI_DEFAULT_ABI, 100, &ffi_type_void, all) != FFI_OK || ffi_raw_size(&of) != sizeof block)
		return 0;
	ffi_raw_call(&of, FFI_FN(prepare), &result, block);
	return 1;
}

static int offsets(void)
{
	size_t at[2];
	return ffi_get_struct_offsets(FFI_DEFAULT_ABI, &pair_type, at) == FFI_OK && at[1] == 8;
}

static int plan(void)
{
	ffi_call_plan *made = ffi_call_plan_alloc(&cif);
	if (!made)
		return refused > 0;
	ffi_call_plan_free(made);
	return 1;
}

/* Each after those before it have been done with memory. */
static int (*const steps[])(void) = {prepare, call, variadic, offsets, raw, plan, take, prepare_closure, enter, give_back};

static int round_of(size_t step, int which, long n)
{
	for (size_t before = 0; before < step; before++)
		if (steps[before] == prepare || steps[before] == prepare_closure)
			CHECK(steps[before]());
	left = n;
	kinds = which;
	int is_right = steps[step]();
	kinds = 0;
	return is_right ? refused > 0 : 2;
}

int main(void)
{
	for (int i = 0; i < 5000; i++)
		large_parts[i] = &ffi_type_sint8;
	closure = ffi_closure_alloc(sizeof *closure, &code);
	CHECK(closure);
	for (int which = MALLOC; which <= (MALLOC | MMAP); which++)
		for (size_t step = 0; step < sizeof steps / sizeof *steps; step++)
			for (long n = 0, more = 1; more && n < 200; n++) {
				int status = -1;
				pid_t child = fork();
				if (child == 0)
					_exit(round_of(step, which, n));
				CHECK(waitpid(child, &status, 0) == child);
				if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
					printf("step %zu, kinds %d, request %ld: status %x\n", step, which, n, status);
				CHECK(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
				more = WEXITSTATUS(status) == 1;
			}
	return failures != 0;
}
