# The ffi module, for MicroPython's CMake-based ports. ../README.md says how to use it.
#
# py/usermod.cmake includes this file when USER_C_MODULES names it, after the port's project(). It adds the C files beside it to the port's
# sources, has cargo build the static library that they call, and links both. Where that library lies beside it already, in prebuilt/
# under the name of the Rust target, no Rust is needed. Variables and options are those of micropython.mk, which gives the reasons.

# The real path, because the folder may have been linked into another one.
get_filename_component(FARCALL_DIR "${CMAKE_CURRENT_LIST_DIR}" REALPATH)
get_filename_component(FARCALL_ROOT "${FARCALL_DIR}/../.." ABSOLUTE)

if(NOT CMAKE_SIZEOF_VOID_P EQUAL 8)
    message(FATAL_ERROR "farcall works on 64-bit machines only, and ${CMAKE_C_COMPILER} does not compile for one")
endif()

# What the user may set, as on make's command line.
if(NOT DEFINED FARCALL_CARGO)
    set(FARCALL_CARGO cargo)
endif()
if(NOT DEFINED FARCALL_TARGET)
    set(FARCALL_TARGET "$ENV{CARGO_BUILD_TARGET}")
endif()
if(NOT DEFINED FARCALL_TARGET_DIR)
    set(FARCALL_TARGET_DIR "${FARCALL_ROOT}/target")
endif()
if(NOT DEFINED FARCALL_FEATURES)
    set(FARCALL_FEATURES "")
endif()
separate_arguments(farcall_cargo UNIX_COMMAND "${FARCALL_CARGO}")
string(REGEX REPLACE "cargo$" "rustc" farcall_rustc "${FARCALL_CARGO}")
string(REGEX REPLACE "^([^ ]*)cargo " "\\1rustc " farcall_rustc "${farcall_rustc}")
separate_arguments(farcall_rustc UNIX_COMMAND "${farcall_rustc}")

# Sets `result` to Rust's name for a machine, whoever gave it the name that is asked about; to nothing for those that are not known.
function(farcall_target_of machine result)
    string(REGEX MATCH "^[^-]+" cpu "${machine}")
    string(REGEX REPLACE "^arm64$" "aarch64" cpu "${cpu}")
    string(REGEX REPLACE "^amd64$" "x86_64" cpu "${cpu}")
    set(${result} "" PARENT_SCOPE)
    foreach(pair mingw=pc-windows-gnu windows-gnu=pc-windows-gnu android=linux-android linux-musl=unknown-linux-musl
            linux=unknown-linux-gnu freebsd=unknown-freebsd darwin=apple-darwin)
        string(REGEX REPLACE "=.*" "" part "${pair}")
        if("${machine}" MATCHES "${part}")
            string(REGEX REPLACE ".*=" "${cpu}-" target "${pair}")
            set(${result} "${target}" PARENT_SCOPE)
            return()
        endif()
    endforeach()
endfunction()

# What the C compiler compiles for.
separate_arguments(farcall_cc UNIX_COMMAND "${CMAKE_C_COMPILER_ARG1} ${CMAKE_C_FLAGS}")
if(CMAKE_C_COMPILER_TARGET)
    set(farcall_machine "${CMAKE_C_COMPILER_TARGET}")
else()
    execute_process(COMMAND ${CMAKE_C_COMPILER} ${farcall_cc} -dumpmachine
        OUTPUT_VARIABLE farcall_machine OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
include(CheckCSourceCompiles)
check_c_source_compiles("#include <limits.h>
    #if !defined(__linux__) || defined(__GLIBC__) || defined(__ANDROID__)
    #error \"This is not musl.\"
    #endif
    int main(void) { return 0; }" FARCALL_IS_MUSL)
if(FARCALL_IS_MUSL)
    string(REGEX REPLACE "-.*" "-linux-musl" farcall_machine "${farcall_machine}")
endif()
farcall_target_of("${farcall_machine}" farcall_own_target)

# The library that a release brings along, if it has one for that machine. Set to nothing: cargo builds it.
if(NOT DEFINED FARCALL_PREBUILT)
    set(FARCALL_PREBUILT "${FARCALL_DIR}/prebuilt/${farcall_own_target}/libfarcall_micropython.a")
    if(FARCALL_TARGET)
        set(FARCALL_PREBUILT "${FARCALL_DIR}/prebuilt/${FARCALL_TARGET}/libfarcall_micropython.a")
    endif()
    if(NOT EXISTS "${FARCALL_PREBUILT}")
        set(FARCALL_PREBUILT "")
    endif()
endif()
if(FARCALL_PREBUILT)
    set(farcall_archive "${FARCALL_PREBUILT}")
    set(farcall_build "")
    set(farcall_built "")
elseif(EXISTS "${FARCALL_ROOT}/Cargo.toml")
    # Where cargo compiles for that machine anyway it is not told, and builds in the directory that it builds other things in.
    execute_process(COMMAND ${farcall_rustc} -vV OUTPUT_VARIABLE farcall_host ERROR_QUIET)
    string(REGEX REPLACE ".*host: ([^\n]*).*" "\\1" farcall_host "${farcall_host}")
    farcall_target_of("${farcall_host}" farcall_host)
    if(NOT FARCALL_TARGET AND NOT farcall_own_target STREQUAL farcall_host)
        set(FARCALL_TARGET "${farcall_own_target}")
    endif()
    set(farcall_build COMMAND ${farcall_cargo} build --profile packaged --config "build.rustflags=[\"-Crelro-level=partial\"]"
        --manifest-path "${FARCALL_ROOT}/Cargo.toml" --package farcall-micropython --target-dir "${FARCALL_TARGET_DIR}")
    if(FARCALL_TARGET)
        list(APPEND farcall_build --target ${FARCALL_TARGET})
    endif()
    if(FARCALL_FEATURES)
        list(APPEND farcall_build --features "${FARCALL_FEATURES}")
    endif()
    get_filename_component(farcall_archive
        "${FARCALL_TARGET_DIR}/${FARCALL_TARGET}/packaged/libfarcall_micropython.a" ABSOLUTE)
    set(farcall_built "${farcall_archive}")
else()
    message(FATAL_ERROR "farcall has no prebuilt library for ${farcall_machine} here (in ${FARCALL_DIR}/prebuilt), "
        "and not the source to build it from")
endif()
message("farcall: the library is ${farcall_archive}")

# What Rust's standard library needs of the system, and who unwinds the stack.
set(farcall_unwinder -lgcc_s)
set(farcall_finds_unwinder "")
if(" ${CMAKE_C_FLAGS} ${CMAKE_EXE_LINKER_FLAGS} " MATCHES " -static(-pie)? ")
    set(farcall_unwinder -lgcc_eh -lgcc)
elseif(farcall_machine MATCHES "^x86_64-.*linux-gnu$")
    set(farcall_unwinder -lgcc)
    set(farcall_finds_unwinder FFI_FINDS_UNWINDER=1)
endif()
if(DEFINED FARCALL_LIBS)
    separate_arguments(farcall_libs UNIX_COMMAND "${FARCALL_LIBS}")
elseif(farcall_own_target MATCHES "windows-gnu$")
    set(farcall_libs -lkernel32 -lntdll -luserenv -lws2_32 -ldbghelp -static)
elseif(farcall_own_target MATCHES "musl$")
    set(farcall_asked --print target-libdir)
    if(FARCALL_TARGET)
        list(APPEND farcall_asked --target ${FARCALL_TARGET})
    endif()
    execute_process(COMMAND ${farcall_rustc} ${farcall_asked}
        OUTPUT_VARIABLE farcall_libs OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    set(farcall_libs "${farcall_libs}/self-contained/libunwind.a")
    if(NOT EXISTS "${farcall_libs}")
        set(farcall_libs ${farcall_unwinder})
    endif()
    list(APPEND farcall_libs -lc)
elseif(farcall_own_target MATCHES "linux-gnu$")
    set(farcall_libs ${farcall_unwinder} -lutil -lrt -lpthread -lm -ldl -lc)
else()
    file(WRITE "${CMAKE_BINARY_DIR}/farcall/nothing.rs" "")
    set(farcall_asked --crate-type staticlib --print native-static-libs)
    if(FARCALL_TARGET)
        list(APPEND farcall_asked --target ${FARCALL_TARGET})
    endif()
    execute_process(COMMAND ${farcall_rustc} ${farcall_asked} nothing.rs WORKING_DIRECTORY "${CMAKE_BINARY_DIR}/farcall"
        ERROR_VARIABLE farcall_libs)
    string(REGEX MATCHALL "-l[^ \n]+" farcall_libs "${farcall_libs}")
endif()

# What the linker redirects: Ctrl-C and what is raised, waiting for threads, the ends of threads, locks that signals' handlers take.
set(farcall_definitions ${farcall_finds_unwinder})
set(farcall_link_options "")
if(NOT farcall_own_target MATCHES "windows-gnu$|darwin$")
    list(APPEND farcall_definitions FFI_WRAPS_SET_INTERRUPT_CHAR=1 FFI_WRAPS_SEM_WAIT=1 FFI_WRAPS_LOCKS=1)
    list(APPEND farcall_link_options -Wl,--wrap=mp_hal_set_interrupt_char -Wl,--wrap=sem_wait
        -Wl,--wrap=mp_thread_mutex_lock -Wl,--wrap=mp_thread_mutex_unlock
        -Wl,--wrap=mp_thread_unix_begin_atomic_section -Wl,--wrap=mp_thread_unix_end_atomic_section)
endif()
if(NOT farcall_own_target MATCHES "darwin$")
    list(APPEND farcall_definitions FFI_WRAPS_THREAD_DEINIT=1)
    # The file has what can be told only once the library is there.
    list(APPEND farcall_link_options -Wl,--wrap=mp_thread_deinit "@${CMAKE_BINARY_DIR}/farcall/exchange")
endif()
if(farcall_own_target MATCHES "linux")
    list(APPEND farcall_link_options -Wl,--wrap=nlr_jump)
    separate_arguments(farcall_linker UNIX_COMMAND "${CMAKE_EXE_LINKER_FLAGS}")
    execute_process(COMMAND ${CMAKE_C_COMPILER} ${farcall_cc} ${farcall_linker} -Wl,--version
        OUTPUT_VARIABLE farcall_linker ERROR_QUIET)
    if(farcall_linker MATCHES "GNU ld")
        list(APPEND farcall_link_options "-Wl,-T,${FARCALL_DIR}/first.ld")
    endif()
endif()

# Cargo knows better than CMake what is up to date, so it runs every time; it touches the archive only when it made a new one.
add_custom_target(farcall_archive ${farcall_build}
    COMMAND ${CMAKE_COMMAND} "-DARCHIVE=${farcall_archive}" "-DOPTIONS=${CMAKE_BINARY_DIR}/farcall/exchange"
        -P "${FARCALL_DIR}/exchange.cmake"
    BYPRODUCTS ${farcall_built} "${CMAKE_BINARY_DIR}/farcall/exchange"
    VERBATIM USES_TERMINAL)
add_library(farcall_library STATIC IMPORTED GLOBAL)
set_target_properties(farcall_library PROPERTIES IMPORTED_LOCATION "${farcall_archive}")
add_dependencies(farcall_library farcall_archive)

file(GLOB farcall_sources "${FARCALL_DIR}/*.c")
set_property(SOURCE ${farcall_sources} APPEND PROPERTY COMPILE_DEFINITIONS ${farcall_definitions})
# It has no frames of its own then, or such as can be unwound.
set_property(SOURCE "${FARCALL_DIR}/ffiunwinder.c" APPEND PROPERTY COMPILE_OPTIONS -O2 -fasynchronous-unwind-tables)
# A linker cannot wrap what calls and is called within the compiler's own unit, and with LTO all is one.
file(GLOB farcall_wrapped "${MICROPY_DIR}/py/nlr*.c")
set_property(SOURCE ${farcall_sources} ${farcall_wrapped} "${MICROPY_PORT_DIR}/mpthreadport.c" "${MICROPY_PORT_DIR}/unix_mphal.c"
    APPEND PROPERTY COMPILE_OPTIONS -fno-lto)

add_library(usermod_farcall INTERFACE)
target_sources(usermod_farcall INTERFACE ${farcall_sources})
target_include_directories(usermod_farcall INTERFACE "${FARCALL_DIR}")
target_compile_definitions(usermod_farcall INTERFACE MICROPY_USE_INTERNAL_PRINTF=0)
target_link_options(usermod_farcall INTERFACE ${farcall_link_options})
target_link_libraries(usermod_farcall INTERFACE farcall_library ${farcall_libs})
target_link_libraries(usermod INTERFACE usermod_farcall)
