"""Ports, adapters and settings. Knows storage, queues and clocks; knows no tenant and no album."""

import gc

# The first of ours that any process imports. What is imported stays until the end, and there is much of it: searching
# it for garbage each time that 700 objects were made was a fifth of a process's start.
gc.set_threshold(20_000, 20, 20)
