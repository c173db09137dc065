"""`ask.py PORT PATH`: what a server of this machine answers; status 0 if it is a 200. Debian begins without curl."""

import http.client
import sys

try:
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
    connection.request("GET", sys.argv[2])
    answer = connection.getresponse()
    sys.stdout.write(answer.read().decode())
    sys.exit(answer.status != http.client.OK)
except OSError as error:
    sys.exit(str(error))
