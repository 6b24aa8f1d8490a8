"""Certificates that openssl makes: an authority, and what it issues."""

import pathlib
import subprocess


def openssl(*arguments, **options):
    done = subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, text=True, **options)
    return done.stdout


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder, name="an authority of tests"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.key, self.cert = self.folder / "ca.key", self.folder / "ca.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.cert)

    def issue(self, file, names=(), subject=None, days=30, kind="ec"):
        """Writes FILE.pem and FILE.key into the folder, each by a rename; the serial number is random."""
        new = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"], "rsa": ["-newkey", "rsa:2048"]}[kind]
        cert, key, request = (self.folder / f"{file}{end}" for end in [".pem", ".key", ".csr"])
        subject = subject or f"/CN={names[0]}"
        openssl("req", *new, "-nodes", "-subj", subject, "-keyout", f"{key}.new", "-out", request)
        extensions = self.folder / f"{file}.ext"
        alternatives = f"subjectAltName={','.join(f'DNS:{name}' for name in names)}\n" if names else ""
        # Without an extension it would be one of version 1.
        extensions.write_text(f"basicConstraints=CA:FALSE\n{alternatives}")
        openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-days", days,
                "-extfile", extensions, "-out", f"{cert}.new")
        for path in [cert, key]:
            pathlib.Path(f"{path}.new").rename(path)
        return cert, key


def serial(cert):
    return openssl("x509", "-in", cert, "-noout", "-serial").strip()
