"""Certificates for the checks with TLS, made by openssl: each is good for something, or bad in one way."""

import subprocess
from pathlib import Path

from harness import fresh

LOCAL = "DNS:localhost,IP:127.0.0.1"
SETTINGS = """
[ca]
default_ca = ours
[ours]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
"""


class Certificate:
    """The files with a certificate and its key; and one with both, as HAProxy wants them."""

    def __init__(self, folder, name):
        self.cert = folder / f"{name}.pem"
        self.key = folder / f"{name}.key"
        self.both = folder / f"{name}.both"

    def combine(self):
        self.both.write_text(self.cert.read_text() + self.key.read_text())
        return self


class Certificates:
    """`ca` signs `server`, `wrong_name` and `expired`; nobody signs `self_signed`."""

    def __init__(self):
        self.folder = fresh("certificates")
        (self.folder / "index.txt").touch()
        (self.folder / "openssl.cnf").write_text(SETTINGS.format(folder=self.folder))
        self.ca = self.own("ca", "basicConstraints=critical,CA:TRUE")
        self.server = self.signed("server", LOCAL)
        self.wrong_name = self.signed("wrong_name", "DNS:other.example")
        dates = ["-startdate", "20200101000000Z", "-enddate", "20210101000000Z"]
        self.expired = self.signed("expired", LOCAL, dates)
        self.self_signed = self.own("self_signed", f"subjectAltName={LOCAL}")

    def own(self, name, extension):
        made = Certificate(self.folder, name)
        settings = ["-x509", "-days", "2", "-out", made.cert, "-addext", extension]
        self.request(name, made, settings)
        return made.combine()

    def signed(self, name, names, dates=("-days", "2")):
        made = Certificate(self.folder, name)
        request = self.folder / f"{name}.csr"
        extensions = [
            "-addext",
            f"subjectAltName={names}",
            "-addext",
            "extendedKeyUsage=serverAuth",
        ]
        self.request(name, made, ["-out", request, *extensions])
        settings = ["-config", self.folder / "openssl.cnf", "-batch", "-notext", "-utf8", *dates]
        ca = ["-cert", self.ca.cert, "-keyfile", self.ca.key]
        self.openssl("ca", *settings, *ca, "-in", request, "-out", made.cert)
        return made.combine()

    def request(self, name, made, settings):
        key = [
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            made.key,
        ]
        self.openssl("req", *key, "-subj", f"/CN=framewire {name}", *settings)

    def openssl(self, *arguments):
        command = ["openssl", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"openssl {arguments[0]}: {done.stderr.strip()}")


if __name__ == "__main__":
    for path in sorted(Path(Certificates().folder).iterdir()):
        print(path)
