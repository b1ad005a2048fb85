# What the test scripts share: `fact "what is true" command...` runs the command; `finish` says how many facts held, as
# scripts/test counts them, and ends the script. A command's output is shown only when it fails.
facts_passed=0
facts_failed=0
facts_output=$(mktemp)

fact() {
    says=$1
    shift
    if "$@" > "$facts_output" 2>&1; then
        facts_passed=$((facts_passed + 1))
        echo "  $says ...passed"
    else
        facts_failed=$((facts_failed + 1))
        echo "  $says ...FAILED"
        sed 's/^/    /' "$facts_output"
    fi
}

finish() {
    rm -f "$facts_output"
    echo "$facts_passed passed, $facts_failed failed"
    [ "$facts_failed" -eq 0 ] && [ "$facts_passed" -gt 0 ]
    exit $?
}
