"""TLS at our own ends: our client and our server with each other and with others, and what our client
refuses."""

import socket
import ssl
import threading
from contextlib import contextmanager

from certificates import Certificates
from harness import EXAMPLES, Program, client, exchange, expect, server
from peers import binary_of, our_clients, peer_client, program, text_of


@contextmanager
def our_server(certificate, title, *options):
    """`echo_tokio`: its addresses without TLS and with TLS."""
    command = [EXAMPLES / "echo_tokio", "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0"]
    command += ["--cert", certificate.cert, "--key", certificate.key, *options]
    with Program(command, title) as started:
        yield started.listening(), started.listening()


def ours(report):
    """Our client with our server."""
    certificates = Certificates()
    ca = ["--ca", certificates.ca.cert]
    with our_server(certificates.server, "echo_tokio with TLS", "--deflate") as (_, address):
        port = address.rpartition(":")[2]
        for host in ["localhost", "127.0.0.1"]:
            with report.check(f"{host}: messages"):
                lines = [text_of(1000), binary_of(1000), text_of(200_000), binary_of(1 << 20), ""]
                for more in [[], ["--deflate"]]:
                    exchange(f"wss://{host}:{port}/", lines, lines, *ca, *more)
        uri = f"wss://localhost:{port}/"
        with report.check("large"):
            exchange(uri, [binary_of(16 << 20)], [binary_of(16 << 20)], *ca)
        with report.check("many"):
            lines = [text_of(number % 300) for number in range(5000)]
            exchange(uri, lines, lines, *ca)
        with report.check("ws where TLS is expected"):
            ended = client(f"ws://localhost:{port}/", ["there"])
            expect(ended.status == 1 and ended.error, ended)


def peers(report, peer):
    """Another implementation as the client, and as the server."""
    certificates = Certificates()
    ca = ["--ca", certificates.ca.cert]
    options = ["--deflate", "--protocol", "chat.v2"]
    with our_server(certificates.server, f"echo_tokio with TLS for {peer}", *options) as (
        _,
        address,
    ):
        uri = f"wss://localhost:{address.rpartition(':')[2]}"
        agreed = ["--compression", "no-takeover"]
        peer_client(report, peer, uri, "client of echo_tokio with TLS", [*ca, *agreed])
    if peer == "jdk":
        return
    files = ["--cert", certificates.server.cert, "--key", certificates.server.key]
    command = [*program(peer, "server"), "--compression", "takeover", *files]
    with server(command, f"{peer} server with TLS") as address:
        uri = f"wss://localhost:{address.rpartition(':')[2]}"
        our_clients(report, peer, uri, "takeover", ca)


class Recorder:
    """A server with TLS that keeps what it is told inside of it."""

    def __init__(self, certificate, **settings):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate.cert, certificate.key)
        for name, value in settings.items():
            setattr(self.context, name, value)
        # 127.0.0.2 reaches it as well.
        self.listener = socket.create_server(("0.0.0.0", 0))
        self.port = self.listener.getsockname()[1]
        self.received = b""
        self.connections = 0
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        raw, _ = self.listener.accept()
        raw.settimeout(20)
        self.connections += 1
        try:
            with self.context.wrap_socket(raw, server_side=True) as stream:
                while data := stream.recv(1 << 16):
                    self.received += data
                    if b"\r\n\r\n" in self.received:
                        return
        except OSError:
            pass  # Refused, in the middle of the handshake or after it.

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def end(self):
        """What it was told, when that has ended."""
        self.thread.join(20)
        expect(not self.thread.is_alive(), "the transport does not end")
        expect(self.connections == 1, "nobody came")
        return self.received


def refusals(report):
    """The client trusts nobody whom it should not, and tells him nothing."""
    certificates = Certificates()
    ca = ["--ca", certificates.ca.cert]
    for version in [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]:
        settings = {"minimum_version": version, "maximum_version": version}
        with (
            report.check(f"{version.name}: trusted"),
            Recorder(certificates.server, **settings) as there,
        ):
            ended = client(f"wss://localhost:{there.port}/", ["there"], *ca)
            expect(ended.status == 1, ended)
            expect(there.end().startswith(b"GET / HTTP/1.1\r\n"), there.received)
        for name, words in [
            ("wrong_name", "not valid for name"),
            ("expired", "expired"),
            ("self_signed", "certificate"),
        ]:
            certificate = getattr(certificates, name)
            title = f"{version.name}: {name.replace('_', ' ')} is refused"
            with report.check(title), Recorder(certificate, **settings) as there:
                refused(there, f"wss://localhost:{there.port}/", words, ca)
        title = f"{version.name}: a name that is not in the certificate is refused"
        with report.check(title), Recorder(certificates.server, **settings) as there:
            refused(there, f"wss://127.0.0.2:{there.port}/", "not valid for name", ca, "127.0.0.2")
        title = f"{version.name}: a stranger's authority is refused"
        with report.check(title), Recorder(certificates.server, **settings) as there:
            refused(there, f"wss://localhost:{there.port}/", "certificate", [])
    with report.check("a server without TLS is refused"), plain() as (port, received):
        ended = client(f"wss://localhost:{port}/", ["there"], *ca)
        expect(ended.status == 1 and "TLS" in ended.error, ended)
        expect(received and received[0] == 22 and b"HTTP" not in received, bytes(received))


def refused(there, uri, words, options, host="localhost"):
    """An error that names the step and the host, and not a byte of HTTP."""
    ended = client(uri, ["there"], *options)
    expect(ended.status == 1, ended)
    expect(f"no TLS with {host}" in ended.error, ended)
    expect(words in ended.error, ended)
    received = there.end()
    expect(received == b"", f"the server was told {received!r}")


@contextmanager
def plain():
    """A server that answers whatever it is told with a line of HTTP: its port and what it was told."""
    received = bytearray()

    def serve():
        stream, _ = listener.accept()
        stream.settimeout(20)
        received.extend(stream.recv(1 << 16))
        stream.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        stream.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], received
        thread.join(20)
