"""A service behind a balancer: answers with its name on a TCP port and on a unix socket, and notes when clients came.

    service.py NAME ADDRESS PORT SOCKET LOG
"""
import http.server, os, socketserver, sys, threading, time

NAME, ADDRESS, PORT, SOCKET, LOG = sys.argv[1:]
log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if not self.path.startswith("/health"):
            os.write(log, f"{time.time()}\n".encode())
        body = NAME.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET

    def address_string(self):
        return "-"

    def log_message(self, *_):
        pass


class Unix(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


if os.path.exists(SOCKET):
    os.unlink(SOCKET)
http.server.ThreadingHTTPServer.request_queue_size = 128
servers = [http.server.ThreadingHTTPServer((ADDRESS, int(PORT)), Answers), Unix(SOCKET, Answers)]
for server in servers[1:]:
    threading.Thread(target=server.serve_forever, daemon=True).start()
servers[0].serve_forever()
