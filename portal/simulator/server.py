"""HTTP server on the loopback address: read a request, route it, and deliver the answer."""

import itertools
import socketserver
import sys
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from portal.simulator import authenticator, carrier, control, pages, recaptcha, web_pages
from portal.simulator.wire import Answer, Request, Wire, head, json_answer
from portal.simulator.world import World

LOOPBACK = "127.0.0.1"
MAX_BODY = 1024 * 1024

ROUTES: dict[tuple[str, str], Callable[[World, Request], Answer]] = {
    ("GET", "/"): lambda world, request: pages.home(),
    ("GET", "/favicon.ico"): lambda world, request: Answer(204),
    ("GET", "/assets/simulator.css"): lambda world, request: pages.asset("simulator.css"),
    ("GET", "/recaptcha/api.js"): recaptcha.script,
    ("GET", "/recaptcha/api2/anchor"): recaptcha.frame,
    ("GET", "/recaptcha/api2/anchor.js"): lambda world, request: pages.asset("anchor.js"),
    ("POST", "/recaptcha/api2/token"): recaptcha.token,
    ("POST", "/recaptcha/api/siteverify"): recaptcha.siteverify,
    ("GET", "/authenticator/"): authenticator.page,
    ("GET", "/authenticator/new"): lambda world, request: authenticator.form(),
    ("POST", "/authenticator/new"): authenticator.add_from_form,
    ("GET", "/carrier/login"): web_pages.login,
    ("GET", "/carrier/home"): web_pages.home,
    ("GET", "/carrier/reset"): web_pages.reset_form,
    ("POST", "/carrier/reset"): web_pages.reset,
}


def route(world: World, request: Request) -> Answer:
    if request.path.startswith(control.PREFIX):
        return control.answer(world, request)
    if request.path.startswith("/inbox/"):
        return inbox(world, request)
    if carrier.is_api_request(world, request):
        return carrier.answer(world, request)
    if request.path == "/elsewhere":
        return elsewhere(world, request)
    verb = "GET" if request.verb == "HEAD" else request.verb
    if handler := ROUTES.get((verb, request.path)):
        return handler(world, request)
    exists = any(path == request.path for _, path in ROUTES)
    return pages.plain("Not here", "There is no such page.", 405 if exists else 404)


def inbox(world: World, request: Request) -> Answer:
    mail_id = request.path.removeprefix("/inbox/")
    with world.lock:
        if not mail_id:
            to = request.parameters().get("to", "")
            return pages.inbox(control.mails_to(world, to), to)
        mail = next((mail for mail in world.mails if str(mail.id) == mail_id), None)
    return pages.mail_page(mail) if mail else pages.plain("No such mail", "Perhaps it was cleared away.", 404)


def elsewhere(world: World, request: Request) -> Answer:
    """Record a client that follows a redirect. The success answer would mislead such a client."""
    with world.lock:
        world.elsewhere.append({"verb": request.verb, "token": "token" in request.headers})
    return json_answer(200, {"code": 200, "data": {}})


class Handler(BaseHTTPRequestHandler):
    """One numbered connection, which may carry several requests."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Server"

    def setup(self) -> None:
        super().setup()
        self.number = next(self.server.numbers)

    def respond(self) -> None:
        rejection = self.reject_length()
        if rejection:
            self.close_connection = True
        # The client may disconnect at any time. That is no error.
        try:
            self.deliver(rejection or route(self.server.world, self.read_request()))
        except OSError:
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = respond

    def reject_length(self) -> Answer | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            return json_answer(411, {"code": 411, "message": "Length required"})
        if int(length) > MAX_BODY:
            return json_answer(413, {"code": 413, "message": "Body too large"})
        return None

    def read_request(self) -> Request:
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionError("gone in the middle of a request")
        return Request(
            self.command, unquote(path), query, self.headers, body, str(self.client_address[0]), self.number
        )

    def deliver(self, answer: Answer) -> None:
        if self.server.verbose:
            print(self.command, self.path.partition("?")[0], answer.status, file=sys.stderr)
        wire = Wire(self.connection)
        if answer.delivery:
            self.close_connection = True
            answer.delivery(wire, answer)
        else:
            body = b"" if self.command == "HEAD" else answer.body
            wire.send(head(answer, len(answer.body), self.close_connection) + body)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: the base class would print request lines with the query."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, world: World, port: int, host: str = LOOPBACK, verbose: bool = False) -> None:
        if host != LOOPBACK:
            raise ValueError(f"the simulator listens on {LOOPBACK} only, not on {host}")
        self.world, self.verbose = world, verbose
        self.numbers = itertools.count(1)
        super().__init__((host, port), Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        # Many tests break off connections on purpose.
        if not isinstance(sys.exception(), OSError):
            traceback.print_exc()

    def server_bind(self) -> None:
        # HTTPServer's own method would wait for a DNS look-up of 127.0.0.1.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, int(self.server_address[1])
