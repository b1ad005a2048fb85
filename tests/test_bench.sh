#!/bin/sh
# test_bench.sh BUILD: how the benchmark asks, and what it says when it is answered wrongly or not at all. Its figures are no fact.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/tests/facts.sh"
bench=$1/bench/bench_overhead
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A copy of the program that finds one peer alone: a naive pool that says $1.
with_peer() {
    mkdir -p "$work/peers"
    cp "$bench" "$work/bench_overhead"
    printf '#!/bin/sh\n%s\n' "$1" > "$work/peers/peer_naive"
    chmod +x "$work/peers/peer_naive"
}

asked_of_peer() {
    "$work/bench_overhead" --quick --rounds 2 --csv --only submit_get_throughput --systems naive 2>&1
}

lists() {
    "$bench" --list | grep -q '^submit_get_latency_idle_w1: allot futex '
}

refuses() {
    "$bench" "$@"
    [ $? -eq 2 ]
}

# Before anything is installed or built.
run_refuses() {
    "$top/bench/run" "$@" > "$work/said" 2>&1
    [ $? -eq 2 ] && cat "$work/said" && grep -q 'no question named fly' "$work/said" && ! grep -q -e built -e installing "$work/said"
}

run_names_questions() {
    run_refuses --opencl --only opencl_launch,fly && grep -q '^  opencl_first_cold$' "$work/said" && ! grep -q peer_ "$work/said" &&
        run_refuses --only=fly && grep -q '^  spawn_throughput_w1$' "$work/said"
}

writes_csv() {
    "$bench" --quick --rounds 1 --csv --only submit_get_latency_warm --systems allot,limit > "$work/figures.csv" || return 1
    cat "$work/figures.csv"
    [ "$(head -n 1 "$work/figures.csv")" = question,system,median,p10,p90,unit,runs ] &&
        [ "$(grep -c '^submit_get_latency_warm\(_p99\)\?,\(allot\|limit\),[0-9.e+]*,[0-9.e+]*,[0-9.e+]*,ns,1$' "$work/figures.csv")" -eq 4 ]
}

writes_json() {
    "$bench" --quick --rounds 1 --json --only spawn_j --systems limit > "$work/figures.json" || return 1
    cat "$work/figures.json"
    grep -q '"machine": "' "$work/figures.json" && grep -q '"stolen": [01]\.[0-9]*,' "$work/figures.json" && grep -q '"question": "spawn_join_w1", "system": "limit"' "$work/figures.json" &&
        { ! command -v python3 > /dev/null || python3 -m json.tool "$work/figures.json"; }
}

makes_a_table() {
    "$top/bench/table" < "$work/figures.csv" > "$work/table.md" && cat "$work/table.md" &&
        grep -q '^| `submit_get_latency_warm` | [0-9.]* [nµm]s ([^)]*) | [0-9.]* [nµm]s |' "$work/table.md"
}

refuses_other_text() {
    ! echo nothing | "$top/bench/table"
}

keeps_values() {
    with_peer 'while read -r line; do echo "value 3 "; echo "value 7 _p99"; echo end; done'
    [ "$(asked_of_peer | grep naive)" = "submit_get_throughput,naive,3,3,3,ns,2
submit_get_throughput_p99,naive,7,7,7,ns,2" ]
}

drops() {
    with_peer "$1"
    ! asked_of_peer > "$work/said" && cat "$work/said" && grep -q "naive: wrong: $2" "$work/said" && ! grep -q ',naive,' "$work/said"
}

leaves_out() {
    with_peer 'while read -r line; do echo "skip not today"; echo end; done'
    asked_of_peer > "$work/said" && cat "$work/said" && grep -q 'naive: left out: not today' "$work/said"
}

says_what_is_not_here() {
    rm -f "$work/peers/peer_naive"
    "$work/bench_overhead" --list | grep -q '^not here: naive' && "$work/bench_overhead" --list | grep -q '^not here: onetbb (it needs libtbb-dev'
}

no_answer() {
    said=$(echo round | "$bench" --answer submit_get_throughput limit-of-nothing 2 1 quick)
    echo "$said"
    [ "$(echo "$said" | tail -n 1)" = end ]
}

fact "lists its questions and who is asked" lists
fact "refuses a question that is not there" refuses --only fly
fact "refuses a system that is not there" refuses --systems allot,fly
fact "bench/run says at once that there is no such question, and which there are" run_names_questions
fact "refuses rounds that are none" refuses --rounds 0
fact "writes rows with commas" writes_csv
fact "writes JSON" writes_json
fact "makes a table of them" makes_a_table
fact "makes no table of anything else" refuses_other_text
fact "keeps what a system answers" keeps_values
fact "drops a system whose result is wrong" drops 'while read -r line; do echo "value 3 "; echo "fail lost one"; echo end; done' 'lost one'
fact "drops a system that dies" drops 'read -r line; exit 0' 'its process died'
fact "drops a system that ends badly" drops 'while read -r line; do echo "value 3 "; echo end; done; exit 3' 'its process did not end well'
fact "leaves out a system that cannot answer" leaves_out
fact "says what is not here" says_what_is_not_here
fact "ends every round, answered or not" no_answer
finish
