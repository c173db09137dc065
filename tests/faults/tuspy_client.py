"""Uploads one file with tuspy as its manual says; test_upload_kill.py kills the server meanwhile.

`python tuspy_client.py FILE ENDPOINT TICKET CHUNK_BYTES`. A program of its own, since tuspy leaves files open.
"""

import sys
from pathlib import Path

from tusclient.client import TusClient

file, endpoint, ticket, chunk = sys.argv[1:]
client = TusClient(endpoint, headers={"Authorization": f"Bearer {ticket}"})
client.uploader(
    file, chunk_size=int(chunk), retries=1000, retry_delay=0.25, metadata={"filename": Path(file).name}
).upload()
