"""Run the collecting endpoint alone: `python -m countersign.meters --folder DIR [--port N]`.

Needs uvicorn, and nothing else. Secrets come from the environment: COUNTERSIGN_BEACON_KEY (the
collector reads with it) and COUNTERSIGN_METER_KEY (a gateway's meter posts with it). Put TLS in
front of it: keys travel in headers.
"""

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

from countersign.meters.delivery import Deliveries, Settings
from countersign.meters.journal import Journal


def main() -> None:
    """Read the options and serve until the process is ended."""
    parser = argparse.ArgumentParser(prog="countersign.meters", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where rows are kept")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--origin", action="append", default=[], help="a page that may post")
    parser.add_argument(
        "--public-key", action="append", default=[], metavar="KEY=TENANT", help="a browser's key"
    )
    given = parser.parse_args()
    reading = os.environ.get("COUNTERSIGN_BEACON_KEY")
    if not reading:
        parser.error("COUNTERSIGN_BEACON_KEY is not set: nobody could collect the rows")
    posting = os.environ.get("COUNTERSIGN_METER_KEY")
    settings = Settings(
        reading_keys=(reading,),
        posting_keys=(posting,) if posting else (),
        public_keys=dict(pair.split("=", 1) for pair in given.public_key),
        origins=tuple(given.origin),
    )
    import uvicorn  # noqa: PLC0415 - only who runs it alone needs a server

    app = Deliveries(Journal(given.folder, _now), settings, _now)
    uvicorn.run(app, host=given.host, port=given.port, log_level="warning")


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main()
