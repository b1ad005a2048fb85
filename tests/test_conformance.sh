#!/bin/sh
# The page of conformance: every row is there, and every fact that it names stands in the file that it names.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/tests/facts.sh"
page=$top/docs/conformance.md

# "file.c: ROW words" or "file.c: words", one a line: what the last column of each row names.
named() {
    awk -F' *[|] *' '/^\| [A-ILOPT][0-9]/ { count = split($5, items, "; "); for (i = 1; i <= count; i++) if (items[i] ~ /^[a-z_]+\.c/) print items[i] }' "$page"
}

# A fact of the file that begins with the same row, or the same words.
names_a_fact() {
    file=$top/tests/${1%%:*}
    case $1 in *:*) words=${1#*: } ;; *) words= ;; esac
    row=$(printf '%s' "$words" | grep -oE '^[A-I][0-9]+' || true)
    if [ -n "$row" ]; then
        grep -qE "^ +\{ \"([A-I][0-9]+ )*$row " "$file"
    else
        grep -qF "{ \"$words" "$file"
    fi
}

each_is_a_fact() {
    missing=0
    named > "$work"
    while IFS= read -r item; do
        names_a_fact "$item" || { echo "no such fact: $item"; missing=1; }
    done < "$work"
    [ "$missing" -eq 0 ] && [ -s "$work" ]
}

# Rows of a section: a letter and the number of its last.
every_row_is_listed() {
    awk -F' *[|] *' '/^\| [A-I][0-9]/ { print $2 }' "$page" | tr ' ' '\n' | sort > "$work"
    for section in A:10 B:16 C:18 D:15 E:15 F:11 G:16 H:21 I:12; do
        seq "${section#*:}" | sed "s/^/${section%:*}/"
    done | sort | diff - "$work"
}

work=$(mktemp)
fact "every row is listed once" every_row_is_listed
fact "every fact that is named exists" each_is_a_fact
rm -f "$work"
finish
