/* Graphs of types as nobody should write them, made by chance: structs that contain themselves, that branch without end, whose sizes are preset or
   wrong, whose elements are missing, codes that mean nothing. Each is prepared in a child, by this library and by the one that is named on the
   command line. This one always says something, and in time. Where the other one does, too, both say the same of the status and of every size
   and alignment, but that this one may refuse where a type says of itself what is not so. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <ffi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { GRAPHS = 3000, NODES = 24, ARGUMENTS = 4, SECONDS = 4 };

typedef ffi_status prep(ffi_cif *, ffi_abi, unsigned, ffi_type *, ffi_type **);

/* What a child says. */
struct answer {
	int is_there, is_hostile;
	ffi_status status;
	struct { size_t size; unsigned short alignment; } nodes[NODES];
};

static uint64_t state;

static unsigned chance(unsigned below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % below;
}

static ffi_type nodes[NODES];
static int is_struct[NODES], is_hostile;

static void make_leaf(ffi_type *node)
{
	static ffi_type *const scalars[] = {&ffi_type_uint8, &ffi_type_sint16, &ffi_type_sint32, &ffi_type_uint64, &ffi_type_float, &ffi_type_double,
		&ffi_type_longdouble, &ffi_type_pointer};
	*node = *scalars[chance(8)];
	if (is_hostile && chance(40) == 0)
		node->type = (unsigned short)(chance(2) ? FFI_TYPE_VOID : 99);
	if (is_hostile && chance(40) == 0)
		node->size = chance(3) ? 0 : (size_t)-1 - chance(64);
	if (is_hostile && chance(60) == 0)
		node->alignment = (unsigned short)(chance(2) ? 3 : 0);
}

/* Those it refers to are mostly made before it, so that graphs branch; now and then it is itself, or a later one. */
static void make_struct(int index)
{
	static const unsigned short alignments[] = {0, 1, 2, 3, 8, 16, 4096, 65535};
	unsigned count = chance(20) == 0 ? chance(2000) : chance(60) == 0 ? 0 : 1 + chance(4);
	ffi_type *node = &nodes[index];
	is_struct[index] = 1;
	node->type = FFI_TYPE_STRUCT;
	node->size = node->alignment = 0;
	if (is_hostile && chance(6) == 0) {
		node->size = chance(10) == 0 ? (size_t)-8 : chance(100);
		node->alignment = alignments[chance(8)];
	}
	node->elements = calloc(count + 1, sizeof *node->elements);
	for (unsigned i = 0; i < count; ++i) {
		unsigned to = chance((unsigned)index);
		if (chance(3) && index > 1)
			to = (unsigned)index - 1;
		if (is_hostile && chance(8) == 0)
			to = chance(NODES);
		node->elements[i] = &nodes[to];
	}
	if (is_hostile && chance(30) == 0)
		node->elements = NULL;
}

static void say(struct answer *answer, prep *prepare, unsigned seed)
{
	ffi_cif cif;
	ffi_type *args[ARGUMENTS];
	state = seed;
	for (int warm = 0; warm < 8; ++warm)
		chance(2);
	is_hostile = chance(2) == 0;
	unsigned leaves = 1 + chance(6), count = chance(ARGUMENTS + 1);
	for (int i = 0; i < NODES; ++i)
		if ((unsigned)i < leaves)
			make_leaf(&nodes[i]);
		else
			make_struct(i);
	for (unsigned i = 0; i < count; ++i)
		args[i] = &nodes[chance(NODES)];
	ffi_type *result = chance(2) ? &ffi_type_void : &nodes[chance(NODES)];
	answer->is_hostile = is_hostile;
	answer->status = prepare(&cif, FFI_DEFAULT_ABI, count, result, args);
	for (int i = 0; i < NODES; ++i)
		if (is_struct[i]) {
			answer->nodes[i].size = nodes[i].size;
			answer->nodes[i].alignment = nodes[i].alignment;
		}
	answer->is_there = 1;
}

static int ask(struct answer *answer, prep *prepare, unsigned seed)
{
	const struct itimerval limit = { { 0, 0 }, { SECONDS, 0 } };
	int status = -1;
	memset(answer, 0, sizeof *answer);
	pid_t child = fork();
	if (child == 0) {
		/* Of the child's own time, as others may use the processor, too. */
		setitimer(ITIMER_PROF, &limit, NULL);
		say(answer, prepare, seed);
		_exit(0);
	}
	waitpid(child, &status, 0);
	return status;
}

int main(int argc, char **argv)
{
	struct answer *both = mmap(NULL, 2 * sizeof *both, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	void *other = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	prep *others = other ? (prep *)dlsym(other, "ffi_prep_cif") : NULL;
	unsigned compared = 0, refused = 0;
	CHECK(both != MAP_FAILED && others && others != ffi_prep_cif);
	for (unsigned seed = 1; !failures && seed <= GRAPHS; ++seed) {
		int status = ask(&both[0], ffi_prep_cif, seed);
		if (status != 0 || !both[0].is_there) {
			printf("graph %u: ended with status %#x\n", seed, status);
			++failures;
		}
		/* The other one may overflow its stack, or take for ever. */
		if (ask(&both[1], others, seed) != 0 || failures)
			continue;
		++compared;
		refused += both[1].status != FFI_OK;
		if (both[1].is_hostile && both[0].status == FFI_BAD_TYPEDEF)
			continue;
		if (both[0].status != both[1].status) {
			printf("graph %u: status %d, not %d\n", seed, both[0].status, both[1].status);
			++failures;
		}
		for (int i = 0; i < NODES && both[1].status == FFI_OK; ++i)
			if (both[0].nodes[i].size != both[1].nodes[i].size || both[0].nodes[i].alignment != both[1].nodes[i].alignment) {
				printf("graph %u, type %d: %zu bytes by %u, not %zu by %u\n", seed, i, both[0].nodes[i].size, both[0].nodes[i].alignment,
					both[1].nodes[i].size, both[1].nodes[i].alignment);
				++failures;
			}
	}
	printf("hostile: %u graphs, %u of them compared, of which %u are refused\n", GRAPHS, compared, refused);
	CHECK(compared > GRAPHS / 2 && refused > GRAPHS / 50 && refused < compared);
	return failures != 0;
}
