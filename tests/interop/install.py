"""Installs what the groups need: programs by Debian packages, libraries into `target/interop`.

Nothing is installed that is there already. What can't be installed is told by its name with the reason.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from harness import HERE, NODE_MODULES, OUT, PYTHON

# A need, the program that shows that it is there, and the Debian package that brings it.
PROGRAMS = {
    "nginx": ("nginx", "nginx"),
    "haproxy": ("haproxy", "haproxy"),
    "tinyproxy": ("tinyproxy", "tinyproxy-bin"),
    "squid": ("squid", "squid"),
    "microsocks": ("microsocks", "microsocks"),
    "openssl": ("openssl", "openssl"),
    "npm": ("npm", "npm"),
    "node": ("node", "nodejs"),
}
# Of which a library needs these to be installed.
BY = {"ws": ["node", "npm"]}
WS = "8.23.0"
TRIES = 3
COMPLAINT = re.compile("^E: |error", re.IGNORECASE)


def install(needs):
    """Installs these; tells why not, for each that is missing."""
    missing = {}
    needs = set(needs).union(*(BY.get(need, []) for need in needs))
    # Programs that are no user's are in /usr/sbin.
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    packages = {need: PROGRAMS[need][1] for need in needs & set(PROGRAMS) if not has(need)}
    if "jdk" in needs and not has_jdk():
        packages["jdk"] = "default-jdk-headless"
    if "python" in needs and not has_venv():
        packages["python"] = "python3-venv"
    why = install_packages(packages.values())
    for need, package in packages.items():
        found = {"jdk": has_jdk, "python": has_venv}.get(need)
        if not (found() if found else has(need)):
            missing[need] = why or f"the package {package} brings none"
    if "python" in needs and "python" not in missing:
        add(missing, "python", install_python())
    if "ws" in needs:
        why = next((missing[need] for need in BY["ws"] if need in missing), None)
        add(missing, "ws", why or install_ws())
    return missing


def add(missing, need, why):
    if why:
        missing[need] = why


def has(need):
    return shutil.which(PROGRAMS[need][0]) is not None


def has_jdk():
    """With a compiler: a runtime alone does not run a source file."""
    if shutil.which("java") is None:
        return False
    found = subprocess.run(["java", "--list-modules"], capture_output=True, text=True)
    modules = dict(line.partition("@")[::2] for line in found.stdout.splitlines())
    version = modules.get("jdk.compiler", "0").split(".")[0].split("-")[0]
    return version.isdigit() and int(version) >= 17


def python():
    """Not what a version manager may have put first in PATH."""
    return "/usr/bin/python3" if Path("/usr/bin/python3").exists() else "python3"


def has_venv():
    return PYTHON.exists() or attempt([python(), "-c", "import ensurepip, venv"]) is None


def attempt(command, tries=1):
    """Runs a command, again if it fails; tells the first line that it complains in."""
    for _ in range(tries):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        try:
            done = subprocess.run(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=environment,
                timeout=300,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            why = f"{command[0]}: {type(error).__name__}"
            continue
        if done.returncode == 0:
            return None
        lines = done.stdout.strip().splitlines() or ["it says nothing"]
        complaint = next((line for line in lines if COMPLAINT.search(line)), lines[-1])
        why = f"{command[0]} fails with {done.returncode}: {complaint}"
    return why


def install_packages(packages):
    packages = sorted(packages)
    if not packages:
        return None
    if os.geteuid() != 0:
        return f"it takes root to install {' '.join(packages)}"
    print(f"interop: installing {' '.join(packages)}", flush=True)
    # The services that come with the packages are not for us: none is started.
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        why = attempt(["apt-get", "update", "-q"], TRIES)
        command = ["apt-get", "install", "-q", "-y", "--no-install-recommends"]
        return attempt([*command, *packages], TRIES) or why
    finally:
        if ours:
            policy.unlink()


def install_python():
    """An environment with the libraries, in the versions of requirements.txt."""
    wanted = (HERE / "requirements.txt").read_text()
    done = OUT / "python" / "installed.txt"
    if done.exists() and done.read_text() == wanted:
        return None
    print("interop: installing the Python libraries", flush=True)
    why = attempt([python(), "-m", "venv", "--clear", OUT / "python"])
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    why = why or attempt([*pip, "-r", HERE / "requirements.txt"], TRIES)
    if not why:
        done.write_text(wanted)
    return why


def install_ws():
    if (NODE_MODULES / "ws" / "package.json").exists():
        package = (NODE_MODULES / "ws" / "package.json").read_text()
        if f'"version": "{WS}"' in package:
            return None
    print("interop: installing ws", flush=True)
    (OUT / "node").mkdir(parents=True, exist_ok=True)
    return attempt(["npm", "install", "--no-save", "--prefix", OUT / "node", f"ws@{WS}"], TRIES)
