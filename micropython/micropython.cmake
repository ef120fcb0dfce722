# For USER_C_MODULES=.../micropython, as with make.
include("${CMAKE_CURRENT_LIST_DIR}/ffi/micropython.cmake")
