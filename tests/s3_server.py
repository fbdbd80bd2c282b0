"""moto's S3 server on a free loopback port, in a process of its own; prints the port.

The table library holds the interpreter while it waits for an answer, so a server in the same
process would never give one.
"""

import importlib
import logging
import sys
import threading
from typing import Any

from werkzeug.serving import make_server


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = importlib.import_module("moto.moto_server.werkzeug_app")
    application = moto.DomainDispatcherApplication(moto.create_backend_app)
    turn = threading.Lock()

    def one_at_a_time(*given: Any) -> Any:
        # Left alone, it now and then lets two writers create one name.
        with turn:
            return application(*given)

    server = make_server(
        "127.0.0.1", 0, one_at_a_time, threaded=True, request_handler=moto.MotoRequestHandler
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()  # until whoever started it ends, however that happens


if __name__ == "__main__":
    main()
