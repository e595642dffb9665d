"""Run the endpoint by hand: python -m tests.bigquery_endpoint --port 9050"""

import argparse
import contextlib
import threading

from . import Endpoint

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--port", type=int, default=9050)
parser.add_argument("--project", default="goodoc-test")
arguments = parser.parse_args()
with Endpoint(arguments.project, arguments.port) as endpoint:
    print(f"BigQuery of project {arguments.project} at {endpoint.url}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
