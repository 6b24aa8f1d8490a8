#!/usr/bin/env python3
"""Certificates by ACME, from outside: wsgate against pebble, the ACME server for tests of Let's Encrypt.

    tests/real/acme.py target/debug/wsgate

It needs pebble and pebble-challtestsrv (Debian: `apt-get install pebble`) and openssl; all run on loopback. One line
for each thing that was seen; the first that was not ends it with 1.
"""

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.dont_write_bytecode = True  # nothing of a run stays in the repository

from edge import told

PROGRAM = str(Path(sys.argv[1]).resolve())
FOLDER = Path(tempfile.mkdtemp(prefix="wsgate-acme-"))
STATE = FOLDER / "state" / "le"
RUNNING = []


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


PORT, ADMIN, DIRECTORY, MANAGEMENT, DNS, NAMES = (free_port() for _ in range(6))
SERVER = told.Server()


def openssl(*words, given=None):
    done = subprocess.run(["openssl", *words], input=given, capture_output=True, text=True, cwd=FOLDER, timeout=20)
    return done.stdout + done.stderr


def authority():
    """What the directory is verified with, and what clients show."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=an authority of tests")
    for name, names in (("directory", "DNS:localhost"), ("client", "DNS:client")):
        (FOLDER / "names").write_text(f"subjectAltName={names}\n")
        openssl("req", *key[:-2], "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", f"{name}.pem", "-days", "2", "-extfile", "names")


def start(name, words, **environment):
    log = open(FOLDER / f"{name}.log", "a")
    process = subprocess.Popen(words, stdout=log, stderr=log, cwd=FOLDER, env={**os.environ, **environment})
    RUNNING.append(process)
    return process


def stop(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    process.wait(20)
    RUNNING.remove(process)


def pebble(lifetime, **environment):
    """An authority whose certificates live so many seconds; it has forgotten what it knew."""
    (FOLDER / "pebble.json").write_text(json.dumps({"pebble": {
        "listenAddress": f"127.0.0.1:{DIRECTORY}", "managementListenAddress": f"127.0.0.1:{MANAGEMENT}",
        "certificate": "directory.pem", "privateKey": "directory.key", "httpPort": 1, "tlsPort": PORT,
        "certificateValidityPeriod": lifetime, "domainBlocklist": ["blocked.test"]}}))
    words = ["pebble", "-strict", "-config", "pebble.json", "-dnsserver", f"127.0.0.1:{DNS}"]
    process = start("pebble", words, **{"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0", **environment})
    until("pebble listens", lambda: is_open(DIRECTORY))
    return process


def wsgate(names='"a.test", "b.test"', tls="", more=""):
    (FOLDER / "wsgate.toml").write_text(f"""
[[listen]]
address = "127.0.0.1:{PORT}"
[listen.tls]
acme = "le"
{tls}
[acme.le]
directory = "https://localhost:{DIRECTORY}/dir"
names = [{names}]
contact = ["mailto:ops@example.com"]
state_dir = "state"
ca = "ca.pem"
{more}
[log]
format = "json"
[drain]
spread = "0s"
[upstream.u]
servers = ["ws://127.0.0.1:{SERVER.port}"]
[[route]]
name = "r"
path = "/*"
upstream = "u"
""")
    (FOLDER / "wsgate.log").write_text("")
    process = start("wsgate", [PROGRAM, "run", "wsgate.toml"])
    until("wsgate listens", lambda: is_open(PORT))
    return process


def command(*words):
    done = subprocess.run([PROGRAM, *words], cwd=FOLDER, capture_output=True, text=True, timeout=20)
    return done.stdout + done.stderr


def answers_a_command():
    return f"ws://127.0.0.1:{SERVER.port}" in command("upstreams", "--config", "wsgate.toml")


def is_open(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def lines(reason):
    text = (FOLDER / "wsgate.log").read_text().splitlines()
    read = [json.loads(line) for line in text if line.startswith("{")]
    return [line for line in read if line.get("reason") == reason]


def logged(reason, key, text):
    return any(text in line.get(key, "") for line in lines(reason))


def shown(name="a.test", *words, port=PORT):
    """The issuer and the serial number that a client gets."""
    said = openssl("s_client", "-connect", f"127.0.0.1:{port}", "-servername", name, *words, given="")
    found = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", said, re.S)
    facts = openssl("x509", "-noout", "-issuer", "-serial", given=found.group(0) if found else "")
    return facts.strip().replace("\n", " ")


def is_issued(name="a.test", *words, port=PORT):
    return "Pebble" in shown(name, *words, port=port)


def session(cert, key):
    """A session over TLS, whose client shows a certificate, and that is open."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(FOLDER / cert, FOLDER / key)
    connected = socket.create_connection(("127.0.0.1", PORT), timeout=20)
    secured = context.wrap_socket(connected, server_hostname="a.test")
    secured.sendall(f"GET / HTTP/1.1\r\nHost: a.test\r\n{told.UPGRADE}\r\n\r\n".encode())
    told.read(secured)
    return secured


def until(what, holds, seconds=30):
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            for log in sorted(FOLDER.glob("*.log")):
                print(f"--- {log.name}\n" + "\n".join(log.read_text().splitlines()[-25:]))
            raise SystemExit(f"not seen within {seconds} s: {what}")
        time.sleep(0.1)


def see(what, holds, seconds=30):
    until(what, holds, seconds)
    print(f"seen: {what}", flush=True)


def the_first_certificate_comes_and_a_restart_keeps_it():
    server = pebble(3600, PEBBLE_WFE_NONCEREJECT="20")
    gate = wsgate()
    see("the first certificate, though the authority rejects every fifth nonce", lambda: is_issued("b.test"))
    see("one line of the log about it", lambda: len(lines("acme_ordered")) == 1)
    modes = {path.name: oct(path.stat().st_mode & 0o7777) for path in STATE.iterdir()}
    see("files for the user alone", lambda: set(modes.values()) == {"0o600"} and len(modes) == 3)
    see("a connection for a proof without an order fails",
        lambda: "alert number 120" in openssl("s_client", "-connect", f"127.0.0.1:{PORT}", "-servername", "a.test",
                                              "-alpn", "acme-tls/1", given=""))
    before = shown()
    stop(gate)
    stop(server)
    gate = wsgate()
    see("a restart without the authority shows the same certificate", lambda: shown() == before)
    see("and orders nothing", lambda: not lines("acme_ordered") and not lines("acme_failed"))
    see("check says until when it holds", lambda: "stored     expires 20" in command("check", "wsgate.toml"))
    stop(gate)


def an_authority_that_is_gone_does_not_end_the_service():
    shutil.rmtree(FOLDER / "state")
    gate = wsgate()
    see("without the authority clients get a certificate of our own", lambda: "no certificate yet" in shown())
    see("and the log says what to do", lambda: logged("acme_failed", "help", "reaches the directory"))
    server = pebble(3600)
    gate.send_signal(signal.SIGHUP)
    see("a reload has the order tried again", is_issued)
    stop(server)
    stop(gate)


def certificates_are_renewed():
    shutil.rmtree(FOLDER / "state")
    server = pebble(15)
    admin = f'[admin]\naddress = "127.0.0.1:{ADMIN}"\n[admin.tls]\nacme = "le"\n'
    gate = wsgate(tls='client_auth = "required"\nclient_ca = "ca.pem"', more=admin)
    client = ("-cert", "client.pem", "-key", "client.key")
    see("the first certificate beside client_auth", lambda: is_issued("a.test", *client))
    first = shown("a.test", *client)
    held = session("client.pem", "client.key")
    see("the admin interface shows it too", lambda: shown(port=ADMIN) == shown("a.test", *client))
    see("and a command with the same settings accepts it", answers_a_command)
    see("which is renewed", lambda: is_issued("a.test", *client) and shown("a.test", *client) != first)
    see("a session of before is open", lambda: told.echo(held, "still here") == "still here")
    see("and renewed on the admin interface", lambda: is_issued(port=ADMIN) and shown(port=ADMIN) != first)
    see("where a command accepts it", answers_a_command)
    # It knows neither the account nor the certificate any more.
    stop(server)
    see("without the authority the last one is shown", lambda: lines("acme_failed") and is_issued("a.test", *client))
    server = pebble(3600)
    gate.send_signal(signal.SIGHUP)
    orders = len(lines("acme_ordered"))
    see("an authority that has forgotten the account gets a new one", lambda: len(lines("acme_ordered")) > orders)
    see("and the session is open", lambda: told.echo(held, "and here") == "and here")
    stop(server)
    stop(gate)


def a_name_that_cannot_be_proven_is_told():
    shutil.rmtree(FOLDER / "state")
    server = pebble(3600)
    gate = wsgate(names='"a.test", "nowhere.test"')
    see("a name that leads elsewhere is named", lambda: logged("acme_failed", "error", "nowhere.test"))
    see("and what to look at", lambda: logged("acme_failed", "help", "port 443"))
    see("the listener serves on", lambda: "no certificate yet" in shown())
    text = (FOLDER / "wsgate.toml").read_text()
    (FOLDER / "wsgate.toml").write_text(text.replace(', "nowhere.test"', ""))
    see("a reload without it gets the certificate", is_issued)
    stop(gate)
    gate = wsgate(names='"blocked.test"')
    see("a name that the authority refuses is told", lambda: logged("acme_failed", "help", "names"))
    see("and the certificate of before is shown", is_issued)
    stop(server)
    stop(gate)


def a_stop_does_not_wait_for_an_order():
    shutil.rmtree(FOLDER / "state")
    server = pebble(3600, PEBBLE_VA_NOSLEEP="0", PEBBLE_VA_SLEEPTIME="120")
    gate = wsgate()
    see("an authority that takes its time has the order", lambda: "There are now 1 authorizations" in text_of("pebble"), 20)
    began = time.monotonic()
    stop(gate)
    see("a stop does not wait for it", lambda: gate.returncode == 0 and time.monotonic() - began < 5)
    stop(server)
    # An authority that accepts connections and says nothing.
    with socket.create_server(("127.0.0.1", DIRECTORY)) as silent:
        gate = wsgate()
        silent.settimeout(20)
        connected, _ = silent.accept()
        began = time.monotonic()
        stop(gate)
        see("nor for one that says nothing", lambda: gate.returncode == 0 and time.monotonic() - began < 5)
        connected.close()
    server = pebble(3600)
    gate = wsgate()
    see("the next process gets the certificate", is_issued)
    stop(gate)
    stop(server)


def text_of(log):
    return (FOLDER / f"{log}.log").read_text()


def main():
    authority()
    management = f"127.0.0.1:{NAMES}"
    start("names", ["pebble-challtestsrv", "-dns01", f"127.0.0.1:{DNS}", "-management", management, "-defaultIPv6", "",
                    "-http01", "", "-https01", "", "-tlsalpn01", ""])
    until("the names resolve", lambda: is_open(NAMES))
    # Nobody listens there.
    body = json.dumps({"host": "nowhere.test", "addresses": ["127.0.0.99"]})
    urllib.request.urlopen(f"http://{management}/add-a", body.encode(), timeout=10).close()
    the_first_certificate_comes_and_a_restart_keeps_it()
    an_authority_that_is_gone_does_not_end_the_service()
    certificates_are_renewed()
    a_name_that_cannot_be_proven_is_told()
    a_stop_does_not_wait_for_an_order()


if __name__ == "__main__":
    try:
        main()
    finally:
        for process in RUNNING:
            process.kill()
    shutil.rmtree(FOLDER)
