"""When fleets grow and shrink: the numbers that the policies track, and why these."""

# Processors: waiting messages for each worker, which the bridge publishes (`processor/gauges.py`). A job of a photo
# takes about two seconds, so twenty of them wait some forty.
BACKLOG_PER_WORKER = 20
# An interrupted hour costs more than an idle quarter: down slowly.
PROCESSOR_WARMUP_SECONDS = 180

# Uploads: bytes that come in, for each instance and minute, at some 40 % of what the smallest types (t4g.small, 128 Mbit/s
# for as long as one likes) can take; and connections for each instance, of which a process holds hundreds.
UPLOAD_BYTES_PER_MINUTE = 400_000_000
UPLOAD_CONNECTIONS = 400
UPLOAD_WARMUP_SECONDS = 180

# Web: requests for each instance and minute. CloudFront answers for pictures that it has.
WEB_REQUESTS_PER_MINUTE = 3_000
WEB_WARMUP_SECONDS = 180
