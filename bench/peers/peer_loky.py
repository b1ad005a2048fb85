#!/usr/bin/python3 -Es
"""Asks loky, the process pool in joblib. It takes a tenth of a millisecond a task, so it is given fewer of them."""

import asked
from joblib.externals.loky import ProcessPoolExecutor

EXECUTOR = None


def new(workers):
    return ProcessPoolExecutor(workers, initializer=asked.end_with_parent)


def open_executor(workers):
    global EXECUTOR  # pylint: disable=global-statement
    if EXECUTOR is None:
        EXECUTOR = new(workers)
    return EXECUTOR


def ask(found):
    if found.question == "process_throughput":
        asked.throughput(found, open_executor(found.workers), 5000)
    elif found.question == "process_latency":
        asked.latency(found, open_executor(found.workers), 2000)
    elif found.question == "process_latency_idle":
        asked.latency(found, open_executor(found.workers), 300, pause=1e-3)
    elif found.question == "process_start":
        asked.start(found, new)
    elif found.question == "process_array":
        asked.array(found, open_executor(found.workers))
    elif found.question == "process_crash":
        asked.crash(found, new)
    else:
        raise asked.Skip(f"it has no answer to {found.question}")


if __name__ == "__main__":
    asked.answer(ask)
