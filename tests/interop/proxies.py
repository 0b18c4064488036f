"""Clients, ours and others, that reach our server through nginx and HAProxy, which may end TLS there."""

import os
from contextlib import contextmanager

from certificates import Certificates
from harness import EXAMPLES, client, daemon, exchange, expect, fresh, server
from peers import binary_of, closed_with, peer_client, text_of

NGINX = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log stderr warn;
worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} {tls};
        location / {{
            proxy_pass http://{upstream};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_set_header Host $host;
        }}
    }}
}}
"""

HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    timeout tunnel 60s
frontend clients
    bind 127.0.0.1:{port} {tls}
    default_backend servers
backend servers
    server ours {upstream}
"""


def nginx(folder, port, upstream, certificate):
    tls = ""
    if certificate:
        tls = f"ssl; ssl_certificate {certificate.cert}; ssl_certificate_key {certificate.key}"
    user = "user root root;" if os.geteuid() == 0 else ""
    configuration = folder / "nginx.conf"
    settings = {"folder": folder, "port": port, "upstream": upstream, "user": user, "tls": tls}
    configuration.write_text(NGINX.format(**settings))
    return ["nginx", "-e", "stderr", "-p", folder, "-c", configuration]


def haproxy(folder, port, upstream, certificate):
    tls = f"ssl crt {certificate.both}" if certificate else ""
    configuration = folder / "haproxy.cfg"
    configuration.write_text(HAPROXY.format(port=port, upstream=upstream, tls=tls))
    return ["haproxy", "-db", "-f", configuration]


MAKERS = {"nginx": nginx, "haproxy": haproxy}


@contextmanager
def before(name, upstream, certificate=None):
    """The proxy in front of our server."""
    folder = fresh(name)
    maker = MAKERS[name]
    with daemon(name, lambda port: maker(folder, port, upstream, certificate)) as port:
        yield port


@contextmanager
def our_server(name):
    command = ["interop_driver", "serve", "--protocol", "chat.v2", "--takeover"]
    with server([EXAMPLES / command[0], *command[1:]], f"server behind {name}") as address:
        yield address


def run(report, name, peers):
    """Without TLS."""
    with our_server(name) as upstream, before(name, upstream) as port:
        uri = f"ws://127.0.0.1:{port}"
        our_client(report, uri, "client")
        through(report, name, uri, peers, [])
    # Nobody listens there any more.
    with before(name, upstream) as port, report.check("no server"):
        ended = client(f"ws://127.0.0.1:{port}", ["there"])
        status = {"nginx": 502, "haproxy": 503}[name]
        expect(ended.status == 1 and str(status) in ended.error, ended)


def run_tls(report, name, peers):
    """With TLS up to the proxy."""
    certificates = Certificates()
    ca = ["--ca", certificates.ca.cert]
    with our_server(name) as upstream, before(name, upstream, certificates.server) as port:
        uri = f"wss://localhost:{port}"
        through(report, name, uri, peers, ca)
        our_client(report, uri, "client", *ca)


def through(report, name, uri, peers, options):
    options = ["--compression", "takeover", "--commands", *options]
    for peer in peers:
        peer_client(report, peer, uri, f"client {peer} through {name}", options)


def our_client(report, uri, title, *options):
    """Our client with our server, and something between them."""
    with report.check(f"{title}: messages"):
        lines = [text_of(1000), binary_of(1000), text_of(200_000), binary_of(1 << 20)]
        for more in [[], ["--deflate"]]:
            exchange(uri, lines, lines, *more, *options)
    with report.check(f"{title}: large"):
        lines = [binary_of(16 << 20)]
        exchange(uri, lines, lines, *options)
    with report.check(f"{title}: fragments"):
        lines = [text_of(200_000), binary_of(200_000)]
        exchange(f"{uri}/fragments", lines, lines, *options)
    with report.check(f"{title}: pings"):
        exchange(f"{uri}/commands", ["ping a"], ["pong a"], *options)
    with report.check(f"{title}: closed by the server"):
        ended = client(f"{uri}/commands", ["close 4999 Grüße 😀"], *options, answers=None)
        closed_with(ended, 4999, "Grüße 😀")
