"""cairo draws a picture, and hands it out as a PNG by a callback that gets one piece after the other.

It prints:

    no error has occurred: PNG 200 x 100
    in the middle: (255, 128, 0, 255)
    at the edge: (0, 0, 128, 255)
"""

import ffi
import uctypes

c = ffi.cdef("""
    typedef struct _cairo cairo_t;
    typedef struct _cairo_surface cairo_surface_t;
    typedef enum { CAIRO_STATUS_SUCCESS = 0, CAIRO_STATUS_NO_MEMORY } cairo_status_t;
    typedef enum { CAIRO_FORMAT_ARGB32, CAIRO_FORMAT_RGB24, CAIRO_FORMAT_A8 } cairo_format_t;
    cairo_surface_t *cairo_image_surface_create(cairo_format_t format, int width, int height);
    void *cairo_image_surface_get_data(cairo_surface_t *surface);
    int cairo_image_surface_get_stride(cairo_surface_t *surface);
    void cairo_surface_flush(cairo_surface_t *surface);
    void cairo_surface_destroy(cairo_surface_t *surface);
    cairo_t *cairo_create(cairo_surface_t *surface);
    void cairo_set_source_rgb(cairo_t *cr, double red, double green, double blue);
    void cairo_paint(cairo_t *cr);
    void cairo_arc(cairo_t *cr, double x, double y, double radius, double from, double to);
    void cairo_fill(cairo_t *cr);
    void cairo_destroy(cairo_t *cr);
    const char *cairo_status_to_string(cairo_status_t status);
    cairo_status_t cairo_surface_write_to_png_stream(cairo_surface_t *surface,
        cairo_status_t (*write)(void *closure, const unsigned char *data, unsigned int length), void *closure);
""")
cairo = ffi.open("libcairo.so.2", c)

surface = cairo.cairo_image_surface_create("CAIRO_FORMAT_ARGB32", 200, 100)
cr = cairo.cairo_create(surface)
cairo.cairo_set_source_rgb(cr, 0, 0, 0.5)
cairo.cairo_paint(cr)
cairo.cairo_set_source_rgb(cr, 1, 0.5, 0)
cairo.cairo_arc(cr, 100, 50, 40, 0, 6.2832)
cairo.cairo_fill(cr)
cairo.cairo_destroy(cr)

png = bytearray()


def write(_, data, length):
    png.extend(uctypes.bytes_at(data, length))
    return c.CAIRO_STATUS_SUCCESS


status = cairo.cairo_surface_write_to_png_stream(surface, write, None)
width, height = (int.from_bytes(png[i : i + 4], "big") for i in (16, 20))
print(cairo.cairo_status_to_string(status) + ":", png[1:4].decode(), width, "x", height)
cairo.cairo_surface_flush(surface)
data, stride = cairo.cairo_image_surface_get_data(surface), cairo.cairo_image_surface_get_stride(surface)
for place, x, y in (("in the middle:", 100, 50), ("at the edge:", 1, 1)):
    blue, green, red, alpha = uctypes.bytes_at(data + y * stride + 4 * x, 4)
    print(place, (red, green, blue, alpha))
cairo.cairo_surface_destroy(surface)
