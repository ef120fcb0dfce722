# What `cargo xtask micropython` freezes into the interpreter: asyncio, as the unix port's standard variant does.
include("$(MPY_DIR)/extmod/asyncio")
