# Writes the linker's options that exchange what Rust's standard library does where a panic begins and where memory runs out: see
# micropython.mk. ARCHIVE is the library, whose names are the Rust compiler's own, and OPTIONS the file to write.
set(text "")
foreach(pair rust_begin_unwind=farcall_fault rust_alloc_error_handler=farcall_no_memory)
    string(REGEX REPLACE "=.*" "" theirs "${pair}")
    string(REGEX REPLACE ".*=" "" ours "${pair}")
    # One name may follow another without a gap here, so only a last part may begin with an underscore.
    set(name "_RNvC[0-9A-Za-z]*_[0-9]+_*[a-z]+[0-9]+_*${theirs}")
    file(STRINGS "${ARCHIVE}" names REGEX "${name}")
    string(REGEX MATCHALL "${name}" names "${names}")
    list(REMOVE_DUPLICATES names)
    foreach(name IN LISTS names)
        string(APPEND text "-Wl,--wrap=${name},--defsym=__wrap_${name}=${ours},-u,${ours}\n")
    endforeach()
endforeach()
file(WRITE "${OPTIONS}" "${text}")
