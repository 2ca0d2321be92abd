"""Ctrl-C ends a command, whatever runs when it comes."""

import signal
import subprocess
import sys
import time

import pytest
from forms import THOROUGH

WAITING = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # these tests may themselves run in the background, where it is ignored
from gevent import monkey
monkey.patch_all()
import gevent
from analytics.cli.interrupts import interruptible
interruptible()

def busy():
    '''Takes most of the time, and any error for one of its own.'''
    while True:
        try:
            for _ in range(1_000_000):
                pass
            gevent.sleep(0)
        except BaseException:
            continue

class Watched:
    def __del__(self):
        for _ in range(1_000_000):
            pass

def callback():
    '''An error in it is reported, and forgotten.'''
    Watched()
    gevent.get_hub().loop.run_callback(callback)

{what}
print("waits", flush=True)
try:
    gevent.sleep(600)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("what", ["", "gevent.spawn(busy)", "callback()"])
def test_an_interrupt_reaches_the_command(what: str) -> None:
    for delay in (0.05, 0.13, 0.21) if THOROUGH else (0.13,):
        command = subprocess.Popen(
            [sys.executable, "-c", WAITING.replace("{what}", what)], stdout=subprocess.PIPE, text=True
        )
        assert command.stdout is not None
        assert command.stdout.readline() == "waits\n"
        time.sleep(delay)
        command.send_signal(signal.SIGINT)
        try:
            told, _ = command.communicate(timeout=600)
        finally:
            command.kill()
        assert told == "interrupted\n"


def test_a_command_in_the_background_of_a_script_ignores_it() -> None:
    script = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); import analytics.__main__; print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
