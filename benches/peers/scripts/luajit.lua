-- Times LuaJIT's calls of C, net of the loop around them, and C's calls of a Lua function: prints a line for each row.

local peer, library, tables, rounds, turn = arg[1], arg[2], arg[3], tonumber(arg[4]), tonumber(arg[5]) / 1e6
local ffi = require("ffi")
local lib = ffi.load(library)
local types = {
    v = "void", b = "int8_t", B = "uint8_t", h = "int16_t", H = "uint16_t", i = "int32_t", q = "int64_t",
    L = "uint64_t", P = "void *", f = "float", d = "double",
}

local function timed(loop, count)
    local start = os.clock()
    loop(count)
    return os.clock() - start
end

local function calibrated(loop)
    local count = 64
    while timed(loop, count) < turn / 2 do
        count = count * 2
    end
    local best = math.min(timed(loop, count), timed(loop, count), timed(loop, count))
    return math.max(1, math.floor(count * turn / math.max(best, 1e-6)))
end

local function net(row, loop, base)
    local count = calibrated(loop)
    local samples = {}
    for round = 1, rounds do
        local taken, subtracted = timed(loop, count), timed(base, count)
        samples[round] = string.format("%.3f@0", (taken - subtracted) * 1e9 / count)
    end
    print(table.concat({ "sample", row, peer, table.concat(samples, " ") }, "\t"))
end

local function empty(n)
    for i = 1, n do
    end
end

-- A loop with a call in it, as source: the arguments are constants, as they are in the other scripts.
local function loop_of(call, f, p)
    return assert(loadstring("local f, p = ... return function(n) for i = 1, n do " .. call .. " end end"))(f, p)
end

for line in io.lines(tables) do
    local name, ret, args, values, ends = line:match("^%s*([^#%s]+)%s+(%S+)%s+(%S+)%s+(%S+)%s+(%S+)")
    if name == "add2" or name == "mixed8" then
        local list = {}
        for letter in args:gmatch("%a") do
            list[#list + 1] = types[letter]
        end
        ffi.cdef(types[ret] .. " " .. name .. "_ends(" .. table.concat(list, ", ") .. ");")
        local f = lib[name .. "_ends"]
        assert(loadstring("local f = ... return f(" .. values .. ")")(f) == tonumber(ends))
        net("peers/" .. name, loop_of("f(" .. values .. ")", f), empty)
    end
end

ffi.cdef([[
    struct pair { int64_t first, second; };
    int64_t add_pair(struct pair pair);
    struct pair pair_of(int64_t first, int64_t second);
]])
local pair = lib.pair_of(1, 2)
assert(lib.add_pair(pair) == 3)
net("peers/struct", loop_of("f(p)", lib.add_pair, pair), empty)
net("peers/struct result", loop_of("f(1, 2)", lib.pair_of), empty)

ffi.cdef("int32_t call_back(int32_t (*f)(int32_t, int32_t), int64_t count);")
local callback = ffi.cast("int32_t (*)(int32_t, int32_t)", function(a, b)
    return a + b
end)
assert(lib.call_back(callback, 3) == 3)
-- C is called from here once a turn. A compiled trace must not call it, as callbacks cannot re-enter one.
local function call_back(n)
    lib.call_back(callback, n)
end
if jit.status() then
    jit.off(call_back)
end
net("peers/callback", call_back, function() end)
print("version\t" .. peer .. "\t" .. jit.version)
