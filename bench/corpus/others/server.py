"""A web server for wget: pages in chunks, with gzip, both, or neither; some twice under other names; errors and a picture. HTTP/1.1."""
import gzip
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGES = 40


def text_of(page):
    # Twice: wget stores the second one as a revisit.
    number = page - 1 if page % 10 == 9 else page
    return f"Page {number}. Its text is long enough to be sent in several pieces, and has letters like \u00e9 and \u65e5. " * 30


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/":
            links = "".join(f'<a href="/{i}.html">{i}</a> ' for i in range(PAGES)) + '<img src="/picture.png"><a href="/none.html">none</a>'
            return self.answer(f"<html><body><p>All pages.</p>{links}</body></html>".encode(), 0)
        if self.path == "/picture.png":
            return self.answer(b"\x89PNG", 0, kind="image/png")
        try:
            page = int(self.path[1:-len(".html")])
            body = f"<html><head><meta charset=utf-8></head><body><p>{text_of(page)}</p></body></html>".encode()
        except ValueError:
            return self.answer(b"there is no such page", 0, status=404, kind="text/plain")
        # Equal bodies are sent in the same way, or they would be no revisits.
        self.answer(body, (page - 1 if page % 10 == 9 else page) % 4)

    def answer(self, body, how, status=200, kind="text/html"):
        chunks, packed = how & 1, how & 2
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if packed:
            body = gzip.compress(body, mtime=0)
            self.send_header("Content-Encoding", "gzip")
        if not chunks:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(body), 1000):
            piece = body[at:at + 1000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
