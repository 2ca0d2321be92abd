"""A web server in front of another, as operators have: ``reverse_proxy.py PORT BACK CERTIFICATE KEY [SCHEME]``.

It speaks TLS, and passes requests on to the port ``BACK``; the client's address goes behind what the client said of it.
"""

import http.client
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LEFT_OUT = {
    "host",
    "connection",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-for",
    "transfer-encoding",
}


class Handler(BaseHTTPRequestHandler):
    """Passes a request on, and its answer back."""

    back = 0
    scheme = "https"

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        said = [one for one in (self.headers.get("X-Forwarded-For"), self.client_address[0]) if one]
        headers = {name: value for name, value in self.headers.items() if name.lower() not in LEFT_OUT} | {
            "X-Forwarded-For": ", ".join(said),
            "X-Forwarded-Proto": self.scheme,
            "X-Forwarded-Host": self.headers["Host"],
        }
        asked = http.client.HTTPConnection("127.0.0.1", self.back)
        asked.request(self.command, self.path, body, headers)
        answer = asked.getresponse()
        text = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        asked.close()

    do_GET = do_POST = pass_on

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    port, Handler.back, certificate, key, *scheme = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
    Handler.scheme = scheme[0] if scheme else "https"
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print("ready", flush=True)
    server.serve_forever()
