#!/bin/sh
# The house's layers: includes point down, foreign libraries stay in their rooms, and the check itself catches what breaks that.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/tests/facts.sh"
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

# A tree of one file at $1 that includes $2 passes the check.
allowed() {
    rm -rf "${tree:?}"/*
    mkdir -p "$tree/$(dirname "$1")"
    printf '/* one file */\n#include %s\n' "$2" > "$tree/$1"
    "$top/scripts/check-layers" "$tree"
}

refused() {
    ! allowed "$1" "$2" && [ -e "$tree/$1" ]
}

fact "this project's includes point down" "$top/scripts/check-layers" "$top"
fact "down is allowed" allowed src/executor/stream.c '"places/place.h"'
fact "a neighbour of the same layer is allowed" allowed src/topology/flat.c '"core/failure.h"'
fact "up is refused" refused src/core/task.c '"executor/graph.h"'
fact "up from the ground is refused" refused src/base/log.c '"core/failure.h"'
fact "up by a relative path is refused" refused src/placement/model.c '"../places/place.h"'
fact "an include without its file's room is left alone" allowed src/core/task.c '<stdio.h>'
fact "a place sees its own room" allowed src/places/process/pool.c '"places/process/slot.h"'
fact "a place does not see another" refused src/places/process/pool.c '"places/thread/pool.h"'
fact "nor by a relative path" refused src/places/process/pool.c '"../opencl/device.h"'
fact "hwloc stays in topology" refused src/executor/executor.c '<hwloc.h>'
fact "hwloc is allowed in topology" allowed src/topology/hwloc.c '<hwloc.h>'
fact "OpenCL stays in its place" refused src/places/thread/pool.c '<CL/cl.h>'
fact "OpenCL is allowed in its place" allowed src/places/opencl/device.c '<CL/cl.h>'
fact "jansson stays in the command" refused src/observe/trace.c '<jansson.h>'
fact "the command sees include/ alone" refused src/cli/main.c '"core/task.h"'
fact "the command sees its own files" allowed src/cli/main.c '"cli/io.h"'
fact "kernels see include/ alone" refused kernels/axpy.c '"base/clock.h"'
fact "public headers see no private one" refused include/allot/future.h '"core/future.h"'
fact "public headers see public ones" allowed include/allot/future.h '<allot/status.h>'
fact "an empty tree is no pass" refused docs/nothing.txt '"core/task.h"'
finish
