"""A Jupyter server with a kernel that takes 8 s to start."""

import json
import os
import pathlib
import sys

from jupyter_server.serverapp import ServerApp

from kit import listening_socket

scratch = pathlib.Path(os.environ["REAL_SCRATCH"]) / f"jupyter-{os.getpid()}"
kernel = scratch / "data" / "kernels" / "slow"
kernel.mkdir(parents=True)
start = "import time; time.sleep(8); from ipykernel.kernelapp import main; main()"
(kernel / "kernel.json").write_text(json.dumps({
    "argv": [sys.executable, "-c", start, "-f", "{connection_file}"],
    "display_name": "slow", "language": "python",
}))
for name in ["JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"]:
    os.environ[name] = str(scratch / "data")

listener = listening_socket()
port = listener.getsockname()[1]
listener.close()  # the server binds by number
ServerApp.launch_instance([
    "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0", "--no-browser", "--allow-root",
    "--IdentityProvider.token=real-token", f"--ServerApp.root_dir={scratch}", "--log-level=ERROR",
    "--ServerApp.allow_remote_access=True", "--ZMQChannelsWebsocketConnection.iopub_data_rate_limit=1e10",
])
