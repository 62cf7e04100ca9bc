"""Certificates for scripted servers, made once a run with the openssl command line."""
import os
import subprocess

LIFE = ["-days", "2"]
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def make(directory, name="mx1.example.org"):
    """good: for `name`, signed by ca.pem; other: signed for another name; selfsigned: by nobody."""
    os.makedirs(directory, exist_ok=True)
    if os.path.exists(os.path.join(directory, "done")):
        return directory
    _openssl(directory, "req", "-x509", *KEY, *LIFE, "-keyout", "ca.key", "-out", "ca.pem",
             "-subj", "/CN=test authority", "-addext", "basicConstraints=critical,CA:TRUE",
             "-addext", "keyUsage=critical,keyCertSign")
    _signed(directory, "good", name)
    _signed(directory, "other", "mx.elsewhere.example")
    _openssl(directory, "req", "-x509", *KEY, *LIFE, "-keyout", "selfsigned.key",
             "-out", "selfsigned.pem", "-subj", f"/CN={name}", "-addext",
             f"subjectAltName=DNS:{name}")
    with open(os.path.join(directory, "done"), "w", encoding="ascii"):
        pass
    return directory


def _signed(directory, label, name):
    with open(os.path.join(directory, f"{label}.ext"), "w", encoding="ascii") as f:
        f.write(f"subjectAltName=DNS:{name}\nsubjectKeyIdentifier=hash\n"
                "authorityKeyIdentifier=keyid\n")
    _openssl(directory, "req", "-new", *KEY, "-keyout", f"{label}.key", "-out", f"{label}.csr",
             "-subj", f"/CN={name}")
    _openssl(directory, "x509", "-req", *LIFE, "-in", f"{label}.csr", "-CA", "ca.pem",
             "-CAkey", "ca.key", "-CAcreateserial", "-extfile", f"{label}.ext",
             "-out", f"{label}.pem")


def _openssl(directory, *argv):
    subprocess.run(["openssl", *argv], cwd=directory, check=True, capture_output=True)
