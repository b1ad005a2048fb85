#!/usr/bin/python3 -Es
"""Asks CPython's concurrent.futures: ThreadPoolExecutor about tasks, ProcessPoolExecutor about worker processes.
It takes tens of microseconds a task, so it is given fewer of them."""

import concurrent.futures
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
            cls.executor = concurrent.futures.ProcessPoolExecutor(workers, initializer=asked.end_with_parent)
        return cls.executor


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
    elif question == "process_throughput":
        asked.throughput(found, Processes.open(found.workers), 5000)
    elif question == "process_latency":
        asked.latency(found, Processes.open(found.workers), 2000)
    else:
        raise asked.Skip(f"it has no answer to {question}")


if __name__ == "__main__":
    asked.answer(ask)
