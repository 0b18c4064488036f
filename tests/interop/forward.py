"""Our client through proxies that it asks for a way: HTTP CONNECT by tinyproxy and Squid, the same with TLS up to
the proxy, SOCKS5 by microsocks, with and without a password, and with a proxy that is silent."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from urllib.parse import quote

from certificates import Certificates
from harness import client, daemon, exchange, expect, fresh
from peers import binary_of, text_of
from tls import our_server

USER = "ida"
# tinyproxy can't be told one with other characters.
PASSWORDS = {
    "tinyproxy": "open-sesame",
    "squid": "open:sesame@sea",
    "microsocks": "open:sesame@sea",
}

TINYPROXY = """
Listen 127.0.0.1
Port {port}
Timeout 60
MaxClients 50
LogLevel Info
Allow 127.0.0.1
{allowed}
{auth}
"""

SQUID = """
http_port 127.0.0.1:{port}
pid_filename none
cache deny all
cache_log stdio:/dev/stderr
access_log none
coredump_dir {folder}
shutdown_lifetime 0 seconds
acl there port {ports}
{auth}
http_access deny !there
http_access allow {whom}
http_access deny all
"""


# Ends the TLS of clients that speak to their proxy with it.
HAPROXY = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen proxy
    bind 127.0.0.1:{port} ssl crt {certificate}
    server tinyproxy 127.0.0.1:{proxy}
"""


def tinyproxy(folder, ports, password, port):
    configuration = folder / "tinyproxy.conf"
    allowed = "\n".join(f"ConnectPort {allowed}" for allowed in ports)
    auth = f"BasicAuth {USER} {password}" if password else ""
    configuration.write_text(TINYPROXY.format(port=port, allowed=allowed, auth=auth))
    return ["tinyproxy", "-d", "-c", configuration]


def squid(folder, ports, password, port):
    configuration = folder / "squid.conf"
    whom, auth = "localhost", ""
    if password:
        # Each line that it reads is a user and a password. It is no script, nor does it read a file, since
        # the user that Squid becomes may have no access to this folder.
        helper = f"/usr/bin/sed -u s/^{USER}\\x20{password}$/OK/;t;s/.*/ERR/"
        whom = "known"
        auth = (
            f"auth_param basic program {helper}\n"
            "auth_param basic children 1 startup=1\n"
            "acl known proxy_auth REQUIRED\n"
        )
    settings = {"folder": folder, "port": port, "ports": " ".join(ports), "whom": whom}
    configuration.write_text(SQUID.format(auth=auth, **settings))
    return ["squid", "-N", "-f", configuration]


def microsocks(folder, ports, password, port):
    auth = ["-u", USER, "-P", password] if password else []
    return ["microsocks", "-i", "127.0.0.1", "-p", port, *auth]


def haproxy(folder, proxy, certificate, port):
    configuration = folder / "haproxy.cfg"
    settings = {"port": port, "proxy": proxy, "certificate": certificate.both}
    configuration.write_text(HAPROXY.format(**settings))
    return ["haproxy", "-db", "-f", configuration]


MAKERS = {"tinyproxy": tinyproxy, "squid": squid, "microsocks": microsocks}


def http(report, name):
    # A wrong password is 401 to tinyproxy, though it is the proxy that refuses.
    wrong = {"tinyproxy": 401, "squid": 407}[name]
    run(report, name, "http", [f"status {wrong}", "status 407", "status 403"])


def socks(report, name):
    words = ["refused the user or the password", "accepts no method", "connection refused"]
    run(report, name, "socks5", words)


def https(report):
    """A proxy that is spoken to with TLS: for `wss` there is TLS in TLS."""
    run(report, "tinyproxy", "https", ["status 401", "status 407", "status 403"])


def run(report, name, scheme, words):
    """The checks with each kind of URI, by a proxy that wants a password and by one that wants none."""
    *secrets, forbidden = words
    certificates = Certificates()
    ca = ["--ca", certificates.ca.cert]
    with our_server(certificates.server, f"echo_tokio behind {name}") as addresses:
        ports = [address.rpartition(":")[2] for address in addresses]
        uris = [f"ws://localhost:{ports[0]}/", f"wss://localhost:{ports[1]}/"]
        for password in [None, PASSWORDS[name]]:
            what = "with a password" if password else "open"
            who = f"{USER}:{quote(password, safe='')}@" if password else ""
            command = partial(MAKERS[name], fresh(name), ports, password)
            with started(name, command, scheme, certificates) as port:
                for uri in uris:
                    title = f"{what}, {uri.partition(':')[0]}"
                    proxy = f"{scheme}://{who}127.0.0.1:{port}"
                    ways(report, title, uri, [*ca, "--proxy", proxy], forbidden)
                    stranger = {"https": "the proxy 127.0.0.1"}.get(scheme, "localhost")
                    if scheme == "https" or uri.startswith("wss"):
                        with report.check(f"{title}: {stranger} is not trusted"):
                            ended = client(uri, ["there"], "--proxy", proxy)
                            expected = f"no TLS with {stranger} "
                            expect(ended.status == 1 and expected in ended.error, ended)
                    if password:
                        others = f"{scheme}://{{}}127.0.0.1:{port}"
                        passwords(report, title, uri, ca, others, secrets)


@contextmanager
def started(name, command, scheme, certificates):
    """The proxy, and what ends its TLS if there is to be some: the port of the first of them."""
    with daemon(name, command) as port:
        if scheme != "https":
            yield port
            return
        ends_tls = partial(haproxy, fresh("haproxy"), port, certificates.server)
        with daemon("haproxy", ends_tls) as port:
            yield port


def ways(report, title, uri, options, forbidden):
    with report.check(f"{title}: messages"):
        lines = [text_of(1000), binary_of(1000), text_of(200_000), binary_of(16 << 20)]
        exchange(uri, lines, lines, *options)
    with report.check(f"{title}: a target that is refused"):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        # Nobody listens there; and it is no port that the HTTP proxies may connect to.
        target = f"{uri.rpartition(':')[0]}:{port}/"
        told(client(target, ["there"], *options), forbidden)


def passwords(report, title, uri, ca, proxy, secrets):
    wrong, without = secrets
    with report.check(f"{title}: a wrong password"):
        told(client(uri, ["there"], *ca, "--proxy", proxy.format(f"{USER}:sesame@")), wrong)
    with report.check(f"{title}: no password"):
        told(client(uri, ["there"], *ca, "--proxy", proxy.format("")), without)


def told(ended, words):
    """The error names the proxy and what it said, and no password."""
    expect(ended.status == 1, ended)
    expect("proxy" in ended.error and words in ended.error, ended)
    expect("sesame" not in ended.error, ended)


@contextmanager
def silent():
    """A server that takes in everybody and says nothing: its port."""
    streams = []

    def serve():
        while True:
            try:
                streams.append(listener.accept()[0])
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    for stream in streams:
        stream.close()


def waits(report):
    """Somebody on the way who says nothing: the client ends by its deadline."""
    with silent() as port, ThreadPoolExecutor() as threads:
        uris = [f"ws://localhost:{port}/", f"wss://localhost:{port}/"]
        proxies = [None, f"http://127.0.0.1:{port}", f"socks5://127.0.0.1:{port}"]
        # At the same time.
        started = [
            (f"{proxy or 'no proxy'}, {uri}", proxy, threads.submit(ask, uri, proxy))
            for proxy in proxies
            for uri in uris
        ]
        for title, proxy, ended in started:
            with report.check(title.replace(f":{port}", "")):
                ended = ended.result()
                late = "took too long" in ended.error or "timed out" in ended.error
                expect(ended.status == 1 and late, ended)
                expect(not proxy or "proxy" in ended.error, ended)


def ask(uri, proxy):
    options = ["--proxy", proxy] if proxy else []
    return client(uri, ["there"], *options)
