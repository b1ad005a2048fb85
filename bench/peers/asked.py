"""What bench/round.h is for C: a peer in Python asks itself what its starter says, a round at a time."""

import ctypes
import os
import signal
import sys
import tempfile
import time


class Skip(Exception):
    """The system cannot answer here."""


class Wrong(Exception):
    """A result is not what it should be."""


def end_with_parent():
    """A stopped process, or one that waits for work, would outlive the harness."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def echo(number):
    return number


class Round:
    """One round: what is asked, and where the figures go."""

    def __init__(self, words, out):
        self.question, self.system = words[0], words[1]
        self.workers, self.producers = int(words[2]), int(words[3])
        self.quick = words[4] == "quick"
        self._out = out

    def count(self, full):
        return full // 10 if self.quick else full

    def record(self, value, suffix=""):
        self._out.write(f"value {value:.9g} {suffix}\n")

    def record_latencies(self, latencies_ns):
        latencies_ns.sort()
        count = len(latencies_ns)
        self.record(latencies_ns[count // 2])
        self.record(latencies_ns[count - 1 - count // 100], "_p99")


def answer(ask):
    """Calls ask(round) for each line of standard input."""
    if len(sys.argv) != 7 or sys.argv[1] != "--answer":
        sys.exit("this answers bench_overhead or bench_processes, which start it")
    end_with_parent()
    lines = os.fdopen(os.dup(0))
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    found = Round(sys.argv[2:], out)
    for _ in lines:
        try:
            ask(found)
        except Skip as why:
            out.write(f"skip {why}\n")
        except Exception as why:  # pylint: disable=broad-except
            out.write(f"fail {type(why).__name__}: {why}\n".replace("\n", " ").rstrip() + "\n")
        out.write("end\n")
        out.flush()


# ---- The questions, as bench/questions.h and bench/processes.h ask them, of a concurrent.futures executor ----


def resident_bytes():
    with open("/proc/self/status", encoding="ascii") as lines:
        return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "RssShmem:")))


def check(right, count):
    if right != count:
        raise Wrong(f"of {count} tasks {right} gave their number back")


def throughput(asked, executor, full):
    count = asked.count(full)
    start = time.monotonic_ns()
    futures = [executor.submit(echo, i) for i in range(count)]
    right = sum(future.result() == i for i, future in enumerate(futures))
    end = time.monotonic_ns()
    check(right, count)
    asked.record((end - start) / count)


def latency(asked, executor, full, pause=0.0):
    count = asked.count(full)
    warming = count // 10
    latencies, right = [], 0
    wall, cpu = time.monotonic_ns(), time.process_time_ns()
    for i in range(count + warming):
        if pause:
            time.sleep(pause)
        start = time.monotonic_ns()
        right += executor.submit(echo, i).result() == i
        end = time.monotonic_ns()
        if i >= warming:
            latencies.append(end - start)
    wall, cpu = time.monotonic_ns() - wall, time.process_time_ns() - cpu
    check(right, count + warming)
    asked.record_latencies(latencies)
    if pause:
        asked.record(100 * cpu / wall, "_cpu")


def throughput_of_map(asked, executor, full, chunk):
    count = asked.count(full)
    start = time.monotonic_ns()
    right = sum(number == i for i, number in enumerate(executor.map(echo, range(count), chunksize=chunk)))
    end = time.monotonic_ns()
    check(right, count)
    asked.record((end - start) / count)


def meet(path, expected):
    """Says that it runs, and waits until as many do."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.write(file, b"x")
    while os.fstat(file).st_size < expected:
        os.sched_yield()
    os.close(file)
    return os.getpid()


def start(asked, opening):
    """`opening` makes the executor."""
    with tempfile.NamedTemporaryFile() as place:
        begun = time.monotonic_ns()
        executor = opening(asked.workers)
        met = [executor.submit(meet, place.name, asked.workers) for _ in range(asked.workers)]
        processes = {future.result() for future in met}
        end = time.monotonic_ns()
    if len(processes) != asked.workers:
        raise Wrong("two tasks met in one worker")
    asked.record(end - begun)


def copy(numbers):
    begun = time.monotonic_ns()
    copied = bytes(memoryview(numbers)[:-1]) + b"y"
    return copied, time.monotonic_ns() - begun


def array(asked, executor):
    numbers = bytes(64 << 20)
    beyond = []
    for _ in range(1 if asked.quick else 3):
        begun = time.monotonic_ns()
        copied, work = executor.submit(copy, numbers).result()
        beyond.append(time.monotonic_ns() - begun - work)
        if len(copied) != len(numbers) or copied[-1:] != b"y":
            raise Wrong("what came back is not what was sent")
    beyond.sort()
    asked.record(beyond[len(beyond) // 2])


def sleep_and_echo(number, dies):
    time.sleep(1e-3)
    if dies:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def crash(asked, opening):
    """How many innocent tasks are lost; what it takes is no figure where the pool breaks."""
    count, lost = asked.count(1000), 0
    executor = opening(asked.workers)
    futures = []
    for i in range(count):
        try:
            futures.append((i, executor.submit(sleep_and_echo, i, i % 10 == 0)))
        except Exception:  # pylint: disable=broad-except
            lost += i % 10 != 0
    for i, future in futures:
        try:
            right = future.result() == i
        except Exception:  # pylint: disable=broad-except
            right = False
        lost += i % 10 != 0 and not right
    executor.shutdown(wait=False)
    asked.record(lost, "_lost")
