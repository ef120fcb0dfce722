// The unwinder of Rust's standard library, found when it is first needed: where a fault of farcall's becomes an exception.
//
// The compiler's static library would be 24 kB of the program, and its shared one would be loaded by each process.

#if FFI_FINDS_UNWINDER
#define IN_PROGRAM
#include "../../libffi/shared/unwinder.c"
#else
// A file has to declare something.
extern int ffi_finds_no_unwinder;
#endif
