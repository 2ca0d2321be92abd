"""Sets a process's clock back where ANALYTICS_BEHIND says by how many seconds; Python imports this before anything else."""

import os
import time

import time_machine

if behind := os.environ.get("ANALYTICS_BEHIND"):
    time_machine.travel(time.time() - float(behind), tick=True).start()
