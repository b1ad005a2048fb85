#!/usr/bin/python3 -Es
"""Asks CPython's concurrent.futures: ThreadPoolExecutor about tasks, ProcessPoolExecutor about worker processes.
It takes tens of microseconds a task, so it is given fewer of them."""

import concurrent.futures
import multiprocessing
import threading

import asked


class Threads:
    executor = None

    @classmethod
    def open(cls, workers):
        if not cls.executor:
            cls.executor = concurrent.futures.ThreadPoolExecutor(workers)
        return cls.executor


class Processes:
    executor = None

    @classmethod
    def open(cls, workers):
        if not cls.executor:
            cls.executor = cls.new(workers)
        return cls.executor

    @staticmethod
    def new(workers, method="fork"):
        context = multiprocessing.get_context(method)
        return concurrent.futures.ProcessPoolExecutor(workers, context, initializer=asked.end_with_parent)

    @classmethod
    def new_by_forkserver(cls, workers):
        return cls.new(workers, "forkserver")


def memory(found, executor):
    count = found.count(200_000)
    gate = threading.Event()
    started = threading.Barrier(found.workers + 1)

    def hold():
        started.wait()
        gate.wait()

    held = [executor.submit(hold) for _ in range(found.workers)]
    futures = [None] * count
    started.wait()
    resident = asked.resident_bytes()
    for i in range(count):
        futures[i] = executor.submit(asked.echo, i)
    resident = asked.resident_bytes() - resident
    gate.set()
    asked.check(sum(future.result() == i for i, future in enumerate(futures)), count)
    for future in held:
        future.result()
    found.record(resident / count)


def ask(found):
    question = found.question
    if question == "submit_get_throughput" and found.producers == 1:
        asked.throughput(found, Threads.open(found.workers), 50_000)
    elif question == "submit_get_latency_warm":
        asked.latency(found, Threads.open(found.workers), 5000)
    elif question == "submit_get_latency_idle":
        asked.latency(found, Threads.open(found.workers), 300, pause=1e-3)
    elif question == "memory_per_task":
        memory(found, Threads.open(found.workers))
    elif question == "process_throughput" and found.system == "cpython-map":
        asked.throughput_of_map(found, Processes.open(found.workers), 100_000, 1000)
    elif question == "process_throughput":
        asked.throughput(found, Processes.open(found.workers), 5000)
    elif question == "process_latency":
        asked.latency(found, Processes.open(found.workers), 2000)
    elif question == "process_latency_idle":
        asked.latency(found, Processes.open(found.workers), 300, pause=1e-3)
    elif question == "process_start":
        asked.start(found, Processes.new_by_forkserver if found.system == "cpython-forkserver" else Processes.new)
    elif question == "process_array":
        asked.array(found, Processes.open(found.workers))
    elif question == "process_crash":
        asked.crash(found, Processes.new)
    else:
        raise asked.Skip(f"it has no answer to {question}")


if __name__ == "__main__":
    asked.answer(ask)
