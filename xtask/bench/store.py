"""An object store on loopback, as far as `predict` asks one: the files of a folder by `GET /BUCKET/KEY`, and whether they are there by HEAD. Each answer begins after so many milliseconds, as
those of a store in the same data centre do."""

import http.server
import pathlib
import sys
import time

FOLDER, WAIT = pathlib.Path(sys.argv[1]).resolve(), float(sys.argv[2]) / 1e3


class Store(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave together.
    wbufsize = -1

    def do_GET(self):
        time.sleep(WAIT)
        file = FOLDER / pathlib.PurePosixPath(self.path.split("?")[0]).name
        found = file.is_file()
        body = file.read_bytes() if found else b""
        self.send_response(200 if found else 404)
        self.send_header("ETag", f'"{file.name}"')
        self.send_header("Last-Modified", self.date_time_string())
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    # A method that the store does not know would be tried again and again.
    do_HEAD = do_GET

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    # Connections that come at once; more are refused, and tried again after a second.
    request_queue_size = 128


server = Server(("127.0.0.1", 0), Store)
print(server.server_address[1], flush=True)
server.serve_forever()
