"""libcurl fetches a file:// URL: options of a variadic function, and a callback that gets the text in pieces.

It prints:

    No error: 3 lines, the last is 'to C and back'
    'file:' took no redirect: 0
    Couldn't read a file:// file
"""

import ffi
import uctypes

c = ffi.cdef("""
    typedef void CURL;
    typedef enum { CURLE_OK = 0, CURLE_FILE_COULDNT_READ_FILE = 37 } CURLcode;
    typedef enum { CURLOPT_WRITEDATA = 10001, CURLOPT_URL = 10002, CURLOPT_WRITEFUNCTION = 20011 } CURLoption;
    typedef enum { CURLINFO_REDIRECT_COUNT = 0x200000 + 20 } CURLINFO;
    CURL *curl_easy_init(void);
    CURLcode curl_easy_setopt(CURL *handle, CURLoption option, ...);
    CURLcode curl_easy_perform(CURL *handle);
    CURLcode curl_easy_getinfo(CURL *handle, CURLINFO info, ...);
    void curl_easy_cleanup(CURL *handle);
    const char *curl_easy_strerror(CURLcode error);
""")
curl = ffi.open("libcurl.so.4", c)

path = "/tmp/farcall-%d.txt" % ffi.open(None).func("int getpid(void)")()
with open(path, "w") as file:
    file.write("from Python\nby a prototype\nto C and back\n")

text = bytearray()


def on_data(data, size, count, _):
    text.extend(uctypes.bytes_at(data, size * count))
    return size * count


handle = curl.curl_easy_init()
# libcurl keeps the function, so it is a callback that stays.
with c.callback("size_t (char *data, size_t size, size_t count, void *)", on_data) as write:
    curl.curl_easy_setopt(handle, c.CURLOPT_WRITEFUNCTION, write)
    curl.curl_easy_setopt(handle, c.CURLOPT_URL, "file://" + path)
    status = curl.curl_easy_perform(handle)
    lines = text.decode().split("\n")[:-1]
    print("%s: %d lines, the last is %r" % (curl.curl_easy_strerror(status), len(lines), lines[-1]))
    redirects = c.new("long")
    curl.curl_easy_getinfo(handle, "CURLINFO_REDIRECT_COUNT", redirects)
    print("'file:' took no redirect:", redirects[0])
    curl.curl_easy_setopt(handle, c.CURLOPT_URL, "file:///no/such/file")
    print(curl.curl_easy_strerror(curl.curl_easy_perform(handle)))
curl.curl_easy_cleanup(handle)
__import__("os").remove(path)
