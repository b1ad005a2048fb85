#!/bin/sh
# run.sh BUILD: what BUILD installs works for a user, from a folder that it was moved to: found by CMake and by pkg-config,
# shared and static, from C11 and C++17.
set -u
build=$1
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/facts.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc=${CC:-cc} cxx=${CXX:-c++}
moved="$work/moved to here"

install_and_move() {
    cmake --install "$build" --prefix "$work/prefix" && mv "$work/prefix" "$moved"
}

has() {
    for path in "$@"; do
        [ -e "$moved/$path" ] || { echo "$path is missing" && return 1; }
    done
}

# No text of the installed tree names the folders that it came from.
names_no_folder() {
    ! grep -rIl -e "$work/prefix" -e "$build" -e "$top" "$moved"
}

# The library search path of an installed file holds relative folders only.
searches_relative() {
    for file in "$@"; do
        path=$(readelf -d "$file" | sed -n 's/.*R\(UN\)\{0,1\}PATH.*\[\(.*\)\]/\2/p')
        case ":$path" in :|:\$ORIGIN*) ;; *) echo "$file: $path" && return 1 ;; esac
    done
}

compiles_alone() {
    for header in "$moved"/include/allot/*.h; do
        "$cc" -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$moved/include" -x c "$header" &&
            "$cxx" -std=c++17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$moved/include" -x c++ "$header" || return 1
    done
}

configure() {
    cmake -S "$top/tests/install" -B "$work/$1" -DCMAKE_PREFIX_PATH="$moved" -DFIRST="$top/examples/first.c" \
        -DWANTED="$2" -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx"
}

configure_and_build() {
    configure consumer 0.1 && cmake --build "$work/consumer"
}

refuses_version() {
    ! configure refused "$1" && ! [ -e "$work/refused/Makefile" ]
}

# The README opens with the first example.
readme_shows_it() {
    awk '/^```c$/ { inside = 1; next } /^```/ && inside { exit } inside' "$top/README.md" | diff - "$top/examples/first.c"
}

# A program's first line is the example's result.
prints_result() {
    timeout 120 "$@" > "$work/printed" || return 1
    cat "$work/printed"
    [ "$(head -n 1 "$work/printed")" = "9 2.5" ]
}

needs() {
    readelf -d "$1" | grep -q "NEEDED.*$2"
}

needs_not() {
    [ -x "$1" ] && ! needs "$1" "$2"
}

# Compiles the first example into $1 with the flags that pkg-config gives for the rest.
compile_by_pkg_config() {
    program=$1
    shift
    flags=$(PKG_CONFIG_PATH="$moved/lib/pkgconfig:$moved/$libdir/pkgconfig" pkg-config "$@") || return 1
    echo "$flags"
    eval "\"$cc\" -std=c11 -o \"$work/$program\" \"$top/examples/first.c\" $flags"
}

libdir=$(sed -n 's/^CMAKE_INSTALL_LIBDIR:[A-Z]*=//p' "$build/CMakeCache.txt")

fact "the README opens with the first example" readme_shows_it
fact "it installs and can be moved" install_and_move
fact "headers, libraries, command, package files and data are there" has include/allot/allot.h include/allot/numeric.h \
    "$libdir/liballot.so.0" "$libdir/liballot.a" "$libdir/liballot_numeric.so.0" "$libdir/liballot_numeric.a" bin/allot \
    "$libdir/pkgconfig/allot.pc" "$libdir/cmake/allot/allot-config.cmake" share/allot/data/bcsstk13.mtx
if grep -q 'add_executable(allot_worker' "$top/CMakeLists.txt"; then
    fact "the helper for worker processes is there" has libexec/allot/allot-worker
fi
fact "no installed text names the folders it came from" names_no_folder
fact "installed programs find their libraries beside them" searches_relative "$moved/bin/allot" \
    "$moved/$libdir/liballot.so" "$moved/$libdir/liballot_numeric.so"
fact "the command runs where it was moved to" "$moved/bin/allot" --help
fact "each header compiles alone, as C11 and as C++17" compiles_alone
fact "every public function is shown, and nothing else" "$top/scripts/check-symbols" "$moved/$libdir" "$moved/include/allot"

fact "find_package finds it, and programs build" configure_and_build
fact "find_package refuses another version" refuses_version 1.0
fact "the first example runs, shared" prints_result "$work/consumer/first_shared"
fact "and uses the shared library" needs "$work/consumer/first_shared" liballot.so.0
fact "the first example runs, static" prints_result "$work/consumer/first_static"
fact "and uses no shared one" needs_not "$work/consumer/first_static" liballot
fact "the C++ program runs, shared" prints_result "$work/consumer/cpp_shared"
fact "the C++ program runs, static" prints_result "$work/consumer/cpp_static"

fact "pkg-config gives flags that build, shared" compile_by_pkg_config pc_shared --cflags --libs allot
fact "that program runs" prints_result env LD_LIBRARY_PATH="$moved/$libdir" "$work/pc_shared"
fact "pkg-config gives flags that build, static" compile_by_pkg_config pc_static --cflags --libs allot-static
fact "that program runs" prints_result "$work/pc_static"
fact "and uses no shared one" needs_not "$work/pc_static" liballot
fact "a program that loads it late builds" "$cc" -std=gnu11 -o "$work/late" "$top/tests/install/late.c" -ldl -lpthread
fact "and uses it, also in a thread that outlives it" "$work/late" "$moved/$libdir/liballot.so"
rm -f "$moved/$libdir"/*.so*
fact "pkg-config --static builds where only the archives are" compile_by_pkg_config pc_archives --static --cflags --libs allot
fact "that program runs" prints_result "$work/pc_archives"
finish
