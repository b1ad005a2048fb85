"""An interpreter that loads the library late, and gives the process place functions of another library, loaded later still.
host.py LIBALLOT LIBTASK: says what is wrong, one line each."""
import ctypes, os, sys, threading

allot = ctypes.CDLL(sys.argv[1])
task = ctypes.CDLL(sys.argv[2])
PROCESS, FOREVER = 3, 2**63 - 1
OK, INVALID, WORKER_DIED = 0, 2, 13


class Hints(ctypes.Structure):  # the first two members: what a shorter struct lacks is 0
    _fields_ = [("size", ctypes.c_size_t), ("place", ctypes.c_int), ("padding", ctypes.c_int)]


for name in "allot_open", "allot_submit":
    getattr(allot, name).restype = ctypes.c_void_p
for name in "allot_future_error", "allot_open_error":
    getattr(allot, name).restype = ctypes.c_char_p
here = Hints(ctypes.sizeof(Hints), PROCESS, 0)
failures = []


def check(fact, what):
    if not fact:
        failures.append(what)


def run(executor, function, argument, result):
    """Status, result and message of one call in a worker process."""
    size = ctypes.sizeof(argument) if argument is not None else 0
    out = ctypes.sizeof(result) if result is not None else 0
    future = allot.allot_submit(ctypes.c_void_p(executor), ctypes.cast(function, ctypes.c_void_p),
                                ctypes.byref(argument) if size else None, ctypes.c_size_t(size), ctypes.c_size_t(out),
                                ctypes.byref(here))
    status = allot.allot_get(ctypes.c_void_p(future), ctypes.byref(result) if out else None, ctypes.c_size_t(out),
                             ctypes.c_int64(FOREVER))
    message = allot.allot_future_error(ctypes.c_void_p(future)).decode()
    allot.allot_release(ctypes.c_void_p(future))
    return status, message


def noise(stop):
    while not stop.is_set():
        sum(range(1000))


stop = threading.Event()
threads = [threading.Thread(target=noise, args=(stop,)) for _ in range(2)]
for thread in threads:
    thread.start()

executor = allot.allot_open(None)
check(executor, "allot_open: " + allot.allot_open_error().decode())
pid, three, result = ctypes.c_int(), ctypes.c_double(3), ctypes.c_double(0)
status, message = run(executor, task.tell_process, None, pid)
check(status == OK and pid.value not in (0, os.getpid()), f"tell_process: {status} {message}")
status, message = run(executor, task.twice, three, result)
check(status == OK and result.value == 6, f"twice: {status} {message}")
status, message = run(executor, task.read_far_away, None, None)
check(status == WORKER_DIED and "SIGSEGV (11) at address 0x40 in read_far_away" in message, f"read_far_away: {status} {message}")
python_function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(lambda *_: 0)
status, message = run(executor, python_function, None, None)
check(status == INVALID and "lies in no loaded program or library" in message, f"a function made here: {status} {message}")
status, message = run(executor, task.tell_process, None, pid)
check(status == OK, f"tell_process, after all that: {status} {message}")
check(allot.allot_close(ctypes.c_void_p(executor)) == OK, "allot_close")

stop.set()
for thread in threads:
    thread.join()
print("\n".join(failures), end="")
sys.exit(1 if failures else 0)
