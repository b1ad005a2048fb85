#!/bin/sh
# run.sh BUILD TASK: an interpreter as the host: workers are the interpreter itself, started through the library that is put
# before the C library; or the helper.
set -u
build=$1 task=$2
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/facts.sh"
python=$(command -v /usr/bin/python3 || command -v python3) && "$python" -c 'import ctypes' 2> /dev/null ||
    { echo "skipped: no python3 with ctypes"; exit 77; }
[ -e "$build/liballot.so" ] && [ -x "$build/allot-worker" ] || { echo "skipped: no shared library or helper"; exit 77; }

fact "an interpreter's library has tasks in worker processes" timeout 60 "$python" "$top/tests/interpreter/host.py" "$build/liballot.so" "$task"
fact "and through the helper" timeout 60 env ALLOT_WORKER="$build/allot-worker" "$python" "$top/tests/interpreter/host.py" "$build/liballot.so" "$task"
finish
