# The ffi module, for MicroPython's make-based ports. ../README.md says how to use it.
#
# py/py.mk includes this file when USER_C_MODULES names the folder above. It adds the C files beside it to the
# port's sources, has cargo build the static library that they call, and links both.

# The real path, because the folder may have been linked into another one.
FARCALL_DIR := $(realpath $(USERMOD_DIR))
FARCALL_ROOT := $(abspath $(FARCALL_DIR)/../..)

# The cargo to use, the Rust target (empty: the machine that builds), and where cargo builds.
FARCALL_CARGO ?= cargo
FARCALL_TARGET ?= $(CARGO_BUILD_TARGET)
FARCALL_TARGET_DIR ?= $(FARCALL_ROOT)/target

# What Rust's standard library needs of the system, as `rustc --print native-static-libs` lists it, and on Windows what
# spares the program the compiler's own DLLs.
ifneq ($(findstring mingw,$(shell $(CC) -dumpmachine)),)
FARCALL_LIBS ?= -lkernel32 -lntdll -luserenv -lws2_32 -ldbghelp -static
else
FARCALL_LIBS ?= -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc
endif

FARCALL_ARCHIVE := $(abspath $(FARCALL_TARGET_DIR))/$(addsuffix /,$(FARCALL_TARGET))release/libfarcall_micropython.a

# There can be one module of that name. The unix port looks at this variable after it has included this file.
ifeq ($(origin MICROPY_PY_FFI),command line)
ifneq ($(MICROPY_PY_FFI),0)
$(error this module replaces the port's own ffi module: build with MICROPY_PY_FFI=0)
endif
endif
MICROPY_PY_FFI := 0

FARCALL_SOURCES := $(sort $(wildcard $(USERMOD_DIR)/*.c))

SRC_USERMOD_C += $(FARCALL_SOURCES)
CFLAGS_USERMOD += -I$(FARCALL_DIR)
# A port with a printf of its own lends it to every library that is loaded, and those expect the C library's: "%lld" comes
# out as "ld". Without this define the interpreter uses the C library's itself.
CFLAGS_USERMOD += -DMICROPY_USE_INTERNAL_PRINTF=0
LDFLAGS_USERMOD += $(FARCALL_ARCHIVE) $(FARCALL_LIBS)
# The port ends its threads in a function that tells nobody. The module's own threads are to be told ahead of that. Apple's linker
# cannot do this; there they find out a little later.
ifeq ($(findstring apple,$(shell $(CC) -dumpmachine)),)
CFLAGS_USERMOD += -DFFI_WRAPS_THREAD_DEINIT=1
LDFLAGS_USERMOD += -Wl,--wrap=mp_thread_deinit
endif

# Cargo knows better than make what is up to date, so it runs every time; it touches the archive only when it made a
# new one. The objects depend on the archive because that is what gets make to link again: the program's own rule
# takes no libraries as prerequisites.
$(patsubst $(USER_C_MODULES)/%.c,$(BUILD)/%.o,$(FARCALL_SOURCES)): $(FARCALL_ARCHIVE)

$(FARCALL_ARCHIVE): farcall-archive
	+$(Q)$(FARCALL_CARGO) build --release --manifest-path $(FARCALL_ROOT)/Cargo.toml --package farcall-micropython \
	    --target-dir $(abspath $(FARCALL_TARGET_DIR)) $(addprefix --target ,$(FARCALL_TARGET))

.PHONY: farcall-archive
