import shapes
import uctypes

print(shapes.SHAPES_VERSION, shapes.SHAPES_LIMIT, shapes.SHAPES_RATIO, shapes.SHAPES_ERROR, shapes.BLUE)
print(shapes.length(shapes.types.new("point_t", x=1.5, y=2)))
print(shapes.pack(7, -2).value, shapes.types.sizeof("struct packed"))


def seen(context, shape):
    flags = uctypes.struct(shape, shapes.types.layout("struct flags"))
    print(flags.visible, flags.layer, flags.weight, flags.at[1].y, flags.colour)
    return 9


canvas = shapes.new_canvas(64, shapes.GREEN)
print(shapes.visit(canvas, shapes.types.callback("int (void *, const struct flags *)", seen), None))
style = shapes.style_of(canvas)
print(style.width == shapes.WIDE, style.colour == shapes.GREEN)
print(shapes.canvas_count.get(), shapes.sum(3, 1, 2, 3), shapes.old_name(1))
try:
    shapes.not_exported
except AttributeError:
    print("not exported")
