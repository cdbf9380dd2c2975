# What is read from the operating system, and the numbers made of it. Sourced by run.

# The process and everything below it.
tree() {
    local pid children
    for pid in "$@"; do
        echo "$pid"
        children=$(pgrep -P "$pid" || true)
        # shellcheck disable=SC2086 # one word a child
        [ -z "$children" ] || tree $children
    done
}

# CPU time of a server by the scheduler's own account, nanoseconds.
exec_ns() {
    local pid file ns total=0
    for pid in $(tree "${PID[$1]}"); do
        for file in /proc/"$pid"/task/*/schedstat; do
            read -r ns _ <"$file" && total=$((total + ns))
        done
    done 2>/dev/null
    echo "$total"
}

# The same as user and system time, clock ticks.
ticks() {
    local pid line fields total=0
    for pid in $(tree "${PID[$1]}"); do
        read -r line <"/proc/$pid/stat" || continue
        # shellcheck disable=SC2206 # one word a field; the name, which may have blanks, is cut off
        fields=(${line##*) })
        total=$((total + fields[11] + fields[12]))
    done 2>/dev/null
    echo "$total"
}

# Memory of a server, KiB; what its processes share counts once.
pss_kib() {
    local pid key value total=0
    for pid in $(tree "${PID[$1]}"); do
        while read -r key value _; do
            [ "$key" != Pss: ] || total=$((total + value))
        done <"/proc/$pid/smaps_rollup"
    done 2>/dev/null
    echo "$total"
}

# value KEY FILE: a number of a report.
value() { sed -n "s/.*\"$1\":\\([0-9.]*\\)[,}].*/\\1/p" "$2"; }

# start_load SERVER OUT CPUS ARGUMENTS...: begins a load; LOADER is its process.
start_load() {
    local server=$1 out=$2 cpus=$3 on=()
    shift 3
    [ -z "$cpus" ] || on=(taskset -c "$cpus")
    "${on[@]}" "$LOAD_BIN/load" --target "${ADDRESS[$server]}" --caller "$CALLER" --called "$CALLED" \
        --expect-offer "${OFFER[$server]}" --expect-answer "${ANSWER[$server]}" "$@" >"$out" 2>"$out.err" &
    LOADER=$!
}

# end_load OUT: waits for it.
end_load() {
    local code=0
    wait "$LOADER" || code=$?
    LOADER=
    [ "$code" -eq 0 ] || { cat "$1.err" >&2; fail 4 "the load did not report"; }
}

# A word the load has printed.
await_word() {
    local word=$1 out=$2 tries
    for ((tries = 0; tries < 3000; tries++)); do
        grep -qx "$word" "$out" && return
        kill -0 "$LOADER" 2>/dev/null || { cat "$out.err" >&2; fail 4 "the load ended before it said $word"; }
        sleep 0.1
    done
    fail 4 "the load did not say $word"
}

# Every call of the report went through, and every description was as expected.
is_clean() {
    [ "$(value completed "$1")" = "$(value started "$1")" ] && [ "$(value wrong_descriptions "$1")" = 0 ]
}

# Adds a number to a series; spread prints its minimum, median and maximum.
note() { echo "$2" >>"$WORK/series.$1"; }
forget() { rm -f "$WORK"/series.*; }
spread() {
    local file=$WORK/series.$1 format=${2:-%.1f}
    [ -s "$file" ] || { echo "-"; return; }
    sort -n "$file" | awk -v f="$format" '{ v[NR] = $1 } END {
        m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
        printf f " / " f " / " f "\n", v[1], m, v[NR] }'
}
median() {
    [ -s "$WORK/series.$1" ] || { echo 0; return; }
    sort -n "$WORK/series.$1" | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}
sum() { awk '{ s += $1 } END { print s + 0 }' "$WORK/series.$1" 2>/dev/null || echo 0; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f", a / b; else printf "-" }'; }
per() { awk -v a="$1" -v b="$2" -v k="${3:-1}" 'BEGIN { if (b > 0) printf "%.3f", a / b / k; else printf "0" }'; }

sleep_until() {
    local left=$(($1 - SECONDS))
    [ "$left" -le 0 ] || sleep "$left"
}
