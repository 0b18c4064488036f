"""Runs the groups: see `run`."""

import argparse
import subprocess
import sys
import time
from functools import partial

import forward
import install
import peers
import proxies
import tls
from harness import EXAMPLES, HERE, LOGS, PYTHON, ROOT, Report, Skip


def deflate(report):
    programs = [EXAMPLES / "echo", EXAMPLES / "client"]
    report.client("all parameters", [PYTHON, HERE / "peers" / "deflate.py", *programs])


CLIENTS = ["websockets", "aiohttp", "ws", "jdk"]
OTHERS = ["python", "ws", "jdk"]
TLS = ["openssl"]

# What each group needs, and what it does.
GROUPS = {
    "websockets": (["python"], partial(peers.run, peer="websockets")),
    "aiohttp": (["python"], partial(peers.run, peer="aiohttp")),
    "ws": (["ws"], partial(peers.run, peer="ws")),
    "jdk": (["jdk"], partial(peers.run, peer="jdk")),
    "deflate": (["python"], deflate),
    "nginx": (["nginx", *OTHERS], partial(proxies.run, name="nginx", peers=CLIENTS)),
    "haproxy": (["haproxy", *OTHERS], partial(proxies.run, name="haproxy", peers=CLIENTS)),
    "nginx-tls": (["nginx", *TLS, *OTHERS], partial(proxies.run_tls, name="nginx", peers=CLIENTS)),
    "haproxy-tls": (
        ["haproxy", *TLS, *OTHERS],
        partial(proxies.run_tls, name="haproxy", peers=CLIENTS),
    ),
    "tls": (TLS, tls.ours),
    "tls-websockets": ([*TLS, "python"], partial(tls.peers, peer="websockets")),
    "tls-aiohttp": ([*TLS, "python"], partial(tls.peers, peer="aiohttp")),
    "tls-ws": ([*TLS, "ws"], partial(tls.peers, peer="ws")),
    "tls-jdk": ([*TLS, "jdk"], partial(tls.peers, peer="jdk")),
    "tls-refusals": (TLS, tls.refusals),
    "tinyproxy": ([*TLS, "tinyproxy"], partial(forward.http, name="tinyproxy")),
    "https": ([*TLS, "tinyproxy", "haproxy"], forward.https),
    "squid": ([*TLS, "squid"], partial(forward.http, name="squid")),
    "microsocks": ([*TLS, "microsocks"], partial(forward.socks, name="microsocks")),
    "silence": (TLS, forward.waits),
}
PROGRAMS = ["echo_tokio", "echo", "client", "interop_driver"]


def build():
    command = ["cargo", "build", "--quiet", "--release", "--features", "tokio,rustls"]
    for program in PROGRAMS:
        command += ["--example", program]
    if subprocess.run(command, cwd=ROOT).returncode:
        sys.exit("interop: FAILED to build the examples")


def main():
    parser = argparse.ArgumentParser(prog="tests/interop/run")
    parser.add_argument("--strict", action="store_true", help="what is skipped is a failure")
    parser.add_argument("groups", nargs="*", metavar="NAME", help=", ".join(GROUPS))
    options = parser.parse_args()
    unknown = set(options.groups) - set(GROUPS)
    if unknown:
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    selected = {name: GROUPS[name] for name in options.groups or GROUPS}
    start = time.monotonic()
    report = Report()
    missing = install.install({need for needs, _ in selected.values() for need in needs})
    build()
    LOGS.mkdir(parents=True, exist_ok=True)
    built = time.monotonic()
    for name, (needs, group) in selected.items():
        report.group = name
        began = time.monotonic()
        absent = [need for need in needs if need in missing]
        try:
            if absent:
                raise Skip(f"no {absent[0]}: {missing[absent[0]]}")
            group(report)
        except Skip as error:
            report.skip(name, error)
        except Exception as error:
            report.fail("the group itself", f"{type(error).__name__}: {error}")
        print(f"-- {name}: {time.monotonic() - began:.1f} s", flush=True)
    return summary(report, built - start, time.monotonic() - built, options.strict)


def summary(report, preparing, running, strict):
    print(f"\ninterop: {preparing:.0f} s to install and build, {running:.0f} s to run")
    for what, names in [("FAILED", report.failed), ("SKIPPED", report.skipped)]:
        for name in names:
            print(f"interop: {what} {name}")
    print(
        f"interop: {report.passed} passed, {len(report.failed)} failed, {len(report.skipped)} skipped, "
        f"{len(report.cannot)} that the peer has no way to do"
    )
    return 1 if report.failed or (strict and report.skipped) else 0


if __name__ == "__main__":
    sys.exit(main())
