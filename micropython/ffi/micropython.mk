# The ffi module, for MicroPython's make-based ports. ../README.md says how to use it.
#
# py/py.mk includes this file when USER_C_MODULES names the folder above. It adds the C files beside it to the
# port's sources, has cargo build the static library that they call, and links both. Where that library lies beside it
# already, in prebuilt/ under the name of the Rust target, no Rust is needed.

# The real path, because the folder may have been linked into another one.
FARCALL_DIR := $(realpath $(USERMOD_DIR))
FARCALL_ROOT := $(abspath $(FARCALL_DIR)/../..)

# The cargo to use, the Rust target (empty: the one that belongs to the C compiler), and where cargo builds.
FARCALL_CARGO ?= cargo
FARCALL_TARGET ?= $(CARGO_BUILD_TARGET)
FARCALL_TARGET_DIR ?= $(FARCALL_ROOT)/target
# Features of the Rust part that are not built by themselves, such as jitdump.
FARCALL_FEATURES ?=

# The header compat.h says the same of every build with such objects, once for each file.
ifeq ($(VARIANT),nanbox)
$(error farcall does not work with object representation D (the nanbox variant))
endif

# Rust's name for a machine, whoever gave it the name that is asked about; nothing for those we do not know.
farcall_cpu = $(patsubst arm64,aarch64,$(patsubst amd64,x86_64,$(firstword $(subst -, ,$(1)))))
farcall_if = $(if $(findstring $(1),$(3)),$(2))
farcall_system = $(firstword $(call farcall_if,mingw,pc-windows-gnu,$(1)) $(call farcall_if,android,linux-android,$(1)) \
    $(call farcall_if,linux-musl,unknown-linux-musl,$(1)) $(call farcall_if,linux,unknown-linux-gnu,$(1)) \
    $(call farcall_if,freebsd,unknown-freebsd,$(1)) $(call farcall_if,darwin,apple-darwin,$(1)))
farcall_target = $(addprefix $(call farcall_cpu,$(1))-,$(call farcall_system,$(subst windows-gnu,mingw,$(1))))

# What the C compiler compiles for: the size of a pointer, a machine's name such as x86_64-linux-gnu, and whether its C
# library is musl, which the name does not say where musl's compiler is another one with a wrapper round it.
FARCALL_CC := $(CC) $(CFLAGS_EXTRA)
FARCALL_MACHINE := $(shell $(FARCALL_CC) -dumpmachine)
ifeq ($(shell echo __SIZEOF_POINTER__ | $(FARCALL_CC) -E -P -),4)
$(error farcall works on 64-bit machines only, and $(CC) compiles for one of 32 bits)
endif
FARCALL_HASH := \#
ifeq ($(shell (echo '$(FARCALL_HASH)include <limits.h>'; echo __linux__ __GLIBC__ __ANDROID__) | $(FARCALL_CC) -E -P - 2>/dev/null | tail -n 1),\
    1 __GLIBC__ __ANDROID__)
FARCALL_MACHINE := $(call farcall_cpu,$(FARCALL_MACHINE))-linux-musl
endif

# The library that a release brings along, if it has one for that machine. Empty on the command line: cargo builds it.
FARCALL_PREBUILT ?= $(wildcard $(FARCALL_DIR)/prebuilt/$(or $(FARCALL_TARGET),$(call farcall_target,$(FARCALL_MACHINE)))/libfarcall_micropython.a)
ifeq ($(FARCALL_PREBUILT)$(wildcard $(FARCALL_ROOT)/Cargo.toml),)
$(error farcall has no prebuilt library for $(FARCALL_MACHINE) here (in $(FARCALL_DIR)/prebuilt), and not the source to build it from)
endif

# Where cargo compiles for that machine anyway it is not told, and builds in the directory that it builds other things in.
FARCALL_RUSTC ?= $(patsubst %cargo,%rustc,$(FARCALL_CARGO))
ifeq ($(FARCALL_PREBUILT),)
FARCALL_HOST := $(lastword $(shell $(FARCALL_RUSTC) -vV | grep '^host:'))
ifeq ($(FARCALL_TARGET),)
ifneq ($(call farcall_target,$(FARCALL_MACHINE)),$(call farcall_target,$(FARCALL_HOST)))
FARCALL_TARGET := $(call farcall_target,$(FARCALL_MACHINE))
endif
endif
endif

# What Rust's standard library needs of the system, as `rustc --print native-static-libs` lists it, and on Windows what
# spares the program the compiler's own DLLs. What unwinds the stack is the compiler's static library where all is linked statically. Else
# it is found when it is first wanted (ffiunwinder.c). On AArch64 it has to be there from the start, as it is told of code at run time.
# Rust brings one along for musl.
FARCALL_STATIC := $(filter -static -static-pie,$(CC) $(CFLAGS_EXTRA) $(LDFLAGS) $(LDFLAGS_EXTRA))
FARCALL_UNWINDER := $(if $(FARCALL_STATIC),-lgcc_eh -lgcc,-lgcc_s)
ifneq ($(and $(filter x86_64-%linux-gnu,$(FARCALL_MACHINE)),$(if $(FARCALL_STATIC),,dynamic)),)
FARCALL_UNWINDER := -lgcc
FARCALL_FINDS_UNWINDER := 1
endif
ifneq ($(findstring mingw,$(FARCALL_MACHINE)),)
FARCALL_LIBS ?= -lkernel32 -lntdll -luserenv -lws2_32 -ldbghelp -static
else ifneq ($(findstring musl,$(FARCALL_MACHINE)),)
FARCALL_RUST_LIBRARIES := $(shell $(FARCALL_RUSTC) --print target-libdir $(addprefix --target ,$(FARCALL_TARGET)))
FARCALL_LIBS ?= $(firstword $(wildcard $(FARCALL_RUST_LIBRARIES)/self-contained/libunwind.a) $(FARCALL_UNWINDER)) -lc
else ifeq ($(call farcall_system,$(FARCALL_MACHINE)),unknown-linux-gnu)
FARCALL_LIBS ?= $(FARCALL_UNWINDER) -lutil -lrt -lpthread -lm -ldl -lc
else
# The compiler puts a file in place of what it is told to write, even of a device: it gets a directory of its own.
FARCALL_LIBS := $(or $(FARCALL_LIBS),$(filter -l%,$(shell made=$$(mktemp -d) && echo | $(FARCALL_RUSTC) --crate-type staticlib \
    --print native-static-libs $(addprefix --target ,$(FARCALL_TARGET)) -o "$$made/nothing.a" - 2>&1; rm -r "$$made")))
endif

FARCALL_ARCHIVE := $(or $(FARCALL_PREBUILT),$(abspath $(FARCALL_TARGET_DIR))/$(addsuffix /,$(FARCALL_TARGET))packaged/libfarcall_micropython.a)

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
ifneq ($(FARCALL_FINDS_UNWINDER),)
CFLAGS_USERMOD += -DFFI_FINDS_UNWINDER=1
# It has no frames of its own then, or such as can be unwound.
$(BUILD)/$(notdir $(FARCALL_DIR))/ffiunwinder.o: CFLAGS += -O2 -fasynchronous-unwind-tables
endif
# A port with a printf of its own lends it to every library that is loaded, and those expect the C library's: "%lld" comes
# out as "ld". Without this define the interpreter uses the C library's itself.
CFLAGS_USERMOD += -DMICROPY_USE_INTERNAL_PRINTF=0
LDFLAGS_USERMOD += $(FARCALL_ARCHIVE) $(FARCALL_LIBS)
# Ctrl-C passes through the module before the port raises KeyboardInterrupt, and so does, on Linux, what is raised: see
# ffiinterrupt.c. Windows' port raises it in no handler, and Apple's linker wraps nothing.
ifeq ($(findstring mingw,$(FARCALL_MACHINE))$(findstring darwin,$(FARCALL_MACHINE)),)
CFLAGS_USERMOD += -DFFI_WRAPS_SET_INTERRUPT_CHAR=1
LDFLAGS_USERMOD += -Wl,--wrap=mp_hal_set_interrupt_char
endif
ifneq ($(findstring linux,$(FARCALL_MACHINE)),)
LDFLAGS_USERMOD += -Wl,--wrap=nlr_jump
endif
# The port's collector takes a signal that comes while it waits for a thread for that thread's answer.
ifeq ($(findstring mingw,$(FARCALL_MACHINE))$(findstring darwin,$(FARCALL_MACHINE)),)
CFLAGS_USERMOD += -DFFI_WRAPS_SEM_WAIT=1
LDFLAGS_USERMOD += -Wl,--wrap=sem_wait
endif
# A signal's handler must be able to tell which locks its thread has. See ffilock.c.
ifeq ($(findstring mingw,$(FARCALL_MACHINE))$(findstring darwin,$(FARCALL_MACHINE)),)
CFLAGS_USERMOD += -DFFI_WRAPS_LOCKS=1
LDFLAGS_USERMOD += -Wl,--wrap=mp_thread_mutex_lock,--wrap=mp_thread_mutex_unlock
LDFLAGS_USERMOD += -Wl,--wrap=mp_thread_unix_begin_atomic_section,--wrap=mp_thread_unix_end_atomic_section
endif

# What Rust's standard library does where a panic begins and where memory runs out, which takes 240 kB of the program, and what does it here:
# see ../src/fault.rs. The names are the compiler's, so they are looked for once the archive is there. Where there are none, or the
# linker has no such option, the program is larger and does the same.
FARCALL_NAME = $(shell LC_ALL=C grep -aoE '_RNvC[0-9A-Za-z]*_[0-9]+_*[a-z]+[0-9]+_*$(1)' $(FARCALL_ARCHIVE) | sort -u)
FARCALL_EXCHANGE = $(foreach name,$(call FARCALL_NAME,$(1)),-Wl,--wrap=$(name),--defsym=__wrap_$(name)=$(2),-u,$(2))
ifeq ($(findstring darwin,$(FARCALL_MACHINE)),)
LDFLAGS += $(call FARCALL_EXCHANGE,rust_begin_unwind,farcall_fault)
LDFLAGS += $(call FARCALL_EXCHANGE,rust_alloc_error_handler,farcall_no_memory)
endif

# What the first calls of a process run lies together: see first.ld. Other linkers have no such scripts, or others.
ifneq ($(findstring GNU ld,$(shell $(FARCALL_CC) $(LDFLAGS_EXTRA) -Wl,--version 2>/dev/null)),)
ifneq ($(findstring linux,$(FARCALL_MACHINE)),)
LDFLAGS_USERMOD += -Wl,-T,$(FARCALL_DIR)/first.ld
endif
endif

# How the Rust part is compiled, by farcall's Cargo.toml and this. Without the setting calls between crates go through a table, whose
# entries take 24 bytes each to fill in; how the program is linked is not changed.
FARCALL_PROFILE := --profile packaged --config 'build.rustflags=["-Crelro-level=partial"]'
# The port ends its threads in a function that tells nobody. The module's own threads are to be told ahead of that. Apple's linker
# cannot do this; there they find out a little later.
ifeq ($(findstring darwin,$(FARCALL_MACHINE)),)
CFLAGS_USERMOD += -DFFI_WRAPS_THREAD_DEINIT=1
LDFLAGS_USERMOD += -Wl,--wrap=mp_thread_deinit
endif

# A linker cannot wrap what calls and is called within the compiler's own unit, and with LTO all is one.
$(BUILD)/ffi/%.o $(BUILD)/py/nlr%.o $(BUILD)/mpthreadport.o $(BUILD)/unix_mphal.o: CFLAGS += -fno-lto

# Cargo knows better than make what is up to date, so it runs every time; it touches the archive only when it made a
# new one. The objects depend on the archive because that is what gets make to link again: the program's own rule
# takes no libraries as prerequisites.
$(patsubst $(dir $(USERMOD_DIR))%.c,$(BUILD)/%.o,$(FARCALL_SOURCES)): $(FARCALL_ARCHIVE)

ifeq ($(FARCALL_PREBUILT),)
$(FARCALL_ARCHIVE): farcall-archive
	+$(Q)$(FARCALL_CARGO) build $(FARCALL_PROFILE) --manifest-path $(FARCALL_ROOT)/Cargo.toml \
	    --package farcall-micropython \
	    --target-dir $(abspath $(FARCALL_TARGET_DIR)) $(addprefix --target ,$(FARCALL_TARGET)) \
	    $(addprefix --features ,$(FARCALL_FEATURES))

.PHONY: farcall-archive
endif
