#!/bin/sh
# check.sh MODEL: has spin go through every state of a model beside this script, once for each line under "Runs:" in its head:
#
#    *   holds [OPTION...] | what it shows     no assertion fails, nobody is left waiting
#    *   fails [OPTION...] | what it shows     the model, broken on purpose, is found out: so it would have noticed
#
# Needs spin and a C compiler; without spin it is skipped (77).
set -u
here=$(cd "$(dirname "$0")" && pwd)
model=$here/$1.pml
if ! command -v spin > /dev/null; then
    echo "skipped: spin is not installed (Debian: spin)"
    exit 77
fi
. "$here/../facts.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# Most verifiers run for a second, and compilers take five to make them faster: they are not asked to. Nor are states packed tighter: the
# largest search takes half a gigabyte, and packing them half as long again.
# Writes the verifier's report to $work/report; fails if it is none of a whole search or of an error found.
explore() {
    rm -f pan* report
    # shellcheck disable=SC2086 # options are words
    spin -a $1 "$model" && ${CC:-cc} -O0 -DSAFETY -DMEMLIM=4096 -w -o pan pan.c && ./pan -m1000000 > report || return 1
    cat report
    ! grep -q -e 'max search depth too small' -e 'out of memory' report
}

holds() {
    explore "$1" && grep -q 'errors: 0' report && ! grep -q 'Search not completed' report
}

fails() {
    explore "$1" && grep -q -e 'assertion violated' -e 'invalid end state' report
}

lines=$(sed -n 's/^ \*   \(holds\|fails\) */\1 /p' "$model")
[ -n "$lines" ] || exit 1
while IFS='|' read -r run says; do
    fact "${run%% *}:${says% \*/}" "${run%% *}" "${run#* }"
    [ -n "${VERBOSE:-}" ] && [ -e report ] && grep -e 'states, stored' -e 'elapsed time' -e 'depth reached' report
done <<END
$lines
END
finish
