"""nginx and HAProxy as processes of ours, on a free port of loopback."""

import re
import shutil
import socket
import subprocess

from harness import Process

NGINX = """
daemon off;
user {user};
pid {scratch}/{name}.pid;
error_log {scratch}/{name}.error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {scratch}/{name}.body;
    proxy_temp_path {scratch}/{name}.proxy;
    fastcgi_temp_path {scratch}/{name}.fastcgi;
    uwsgi_temp_path {scratch}/{name}.uwsgi;
    scgi_temp_path {scratch}/{name}.scgi;
{settings}
}}
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def start_nginx(scratch, name, settings):
    """nginx with these settings inside of `http { … }`."""
    import getpass

    return start(scratch, name, NGINX.format(user=getpass.getuser(), scratch=scratch, name=name, settings=settings),
                 ["nginx", "-c"])


def start_haproxy(scratch, name, settings):
    return start(scratch, name, settings, ["haproxy", "-db", "-f"])


STARTS = {"nginx": start_nginx, "haproxy": start_haproxy}


def start(scratch, name, settings, command):
    file = scratch / f"{name}.conf"
    file.write_text(settings)
    return Process(name, [*command, str(file)], scratch / f"{name}.log")


def installed(name):
    return shutil.which(name) is not None


def version(*command):
    shown = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20).stdout
    return re.search(r"\d+\.\d+[\w.]*", shown)[0]
