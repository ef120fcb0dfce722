# Ruby's Fiddle: calls with every kind of argument, closures, variadic functions. Which libffi it ran on goes to stderr.

require "fiddle"
require "fiddle/import"

include Fiddle

libc = Fiddle.dlopen(nil)
libm = Fiddle.dlopen("libm.so.6")

def call(library, name, arguments, result, *values)
  Function.new(library[name], arguments, result).call(*values)
end

p call(libc, "abs", [TYPE_INT], TYPE_INT, -42)
p call(libc, "llabs", [TYPE_LONG_LONG], TYPE_LONG_LONG, -(2**62))
p call(libc, "toupper", [TYPE_INT], TYPE_INT, "a".ord).chr
p call(libc, "strlen", [TYPE_VOIDP], TYPE_SIZE_T, "four")
p call(libm, "pow", [TYPE_DOUBLE, TYPE_DOUBLE], TYPE_DOUBLE, 2.0, 0.5)
p call(libm, "powf", [TYPE_FLOAT, TYPE_FLOAT], TYPE_FLOAT, 2.0, 10.0)
p call(libm, "ldexp", [TYPE_DOUBLE, TYPE_INT], TYPE_DOUBLE, 0.75, 4)
p call(libc, "strtoul", [TYPE_VOIDP, TYPE_VOIDP, TYPE_INT], -TYPE_LONG, "ffffffffffffffff", nil, 16)

# A function that calls back: sorted by a block.
class Compare < Closure
  def call(left, right)
    Pointer.new(left)[0, 4].unpack1("l") <=> Pointer.new(right)[0, 4].unpack1("l")
  end
end

numbers = [5, -3, 2**31 - 1, 0, -2**31, 7, 7]
memory = Pointer[numbers.pack("l*")]
compare = Compare.new(TYPE_INT, [TYPE_VOIDP, TYPE_VOIDP])
call(libc, "qsort", [TYPE_VOIDP, TYPE_SIZE_T, TYPE_SIZE_T, TYPE_VOIDP], TYPE_VOID, memory, numbers.size, 4, compare)
p memory[0, 4 * numbers.size].unpack("l*")

# Closures of other types, called through Fiddle itself.
mixed = Closure::BlockCaller.new(TYPE_DOUBLE, [TYPE_INT, TYPE_DOUBLE, TYPE_FLOAT, TYPE_CHAR, TYPE_LONG_LONG]) do |*values|
  p values
  values.sum
end
p Function.new(mixed, [TYPE_INT, TYPE_DOUBLE, TYPE_FLOAT, TYPE_CHAR, TYPE_LONG_LONG], TYPE_DOUBLE).call(-1, 2.5, 0.25, -100, 2**40)

# Many closures at once, then none.
many = (0...1000).map { |n| Closure::BlockCaller.new(TYPE_INT, [TYPE_INT]) { |x| x + n } }
p many.each_with_index.all? { |closure, n| Function.new(closure, [TYPE_INT], TYPE_INT).call(3) == n + 3 }
many.clear
GC.start

# A variadic function.
buffer = Pointer.malloc(128, RUBY_FREE)
print_to = Function.new(libc["snprintf"], [TYPE_VOIDP, TYPE_SIZE_T, TYPE_VOIDP, TYPE_VARIADIC], TYPE_INT)
p print_to.call(buffer, 128, "%d %g %s %d", TYPE_INT, -7, TYPE_DOUBLE, 0.5, TYPE_VOIDP, "text", TYPE_INT, 9)
p buffer.to_s

libraries = File.foreach("/proc/self/maps").grep(/libffi/).map { |line| line.split.last }.uniq
warn "libffi: #{libraries.join(" ")}"
