# The modes of run, one function each. Sourced by run.

head_line() {
    local cpu kernel commit
    cpu=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
    kernel=$(uname -r)
    commit=$(git -C "$top" rev-parse --short HEAD 2>/dev/null || echo "no git")
    printf '%s, %s x %s, %s GiB, Linux %s; emcc-trunk %s (%s), kamailio %s, %s; load on this machine now: %s\n' \
        "$(date -u '+%Y-%m-%d %H:%M UTC')" "$(nproc)" "${cpu:-unknown CPU}" \
        "$(awk '/MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)" "$kernel" \
        "$("$TRUNK" --version 2>/dev/null | awk '{ print $NF }')" "$commit" \
        "$(kamailio -v | sed -n 's/^version: kamailio \([^ ]*\).*/\1/p')" "$(rustc --version | cut -d' ' -f1,2)" \
        "$(cut -d' ' -f1 /proc/loadavg)"
    printf '`%s`\n' "$COMMAND_LINE"
}

# rotate N WORD...: the words, the first N of them moved to the end.
rotate() {
    local by=$1
    shift
    by=$((by % $#))
    echo "${@:by+1}" "${@:1:by}"
}

# One load through each server in turn; the CPU time of each is read TAIL_S after its own load. Loads that follow
# Kamailio's wait until its clean-up is over, and ours comes 32 s later, when nobody is under load.
# measure_round SERVERS-IN-ORDER RATE CPUS-OF-LOAD LABEL
measure_round() {
    local servers=$1 rate=$2 cpus=$3 label=$4 server
    local -A exec_before=() ticks_before=() read_at=()
    for server in $servers; do
        exec_before[$server]=$(exec_ns "$server")
        ticks_before[$server]=$(ticks "$server")
        start_load "$server" "$WORK/report.$server" "$cpus" --steps "$rate:$LENGTH_S" --limit-s 60
        end_load "$WORK/report.$server"
        read_at[$server]=$((SECONDS + TAIL_S))
        [ "$server" = floor ] && read_at[$server]=$((SECONDS + 1))
        case $server in kamailio-*) sleep 9 ;; esac
    done
    for server in $servers; do
        local report=$WORK/report.$server calls
        sleep_until "${read_at[$server]}"
        calls=$(value completed "$report")
        note "cpu.$label.$server" "$(per $(($(exec_ns "$server") - exec_before[$server])) "$calls" 1000)"
        note "ticks.$label.$server" "$(per $((($(ticks "$server") - ticks_before[$server]) * 1000000 / $(getconf CLK_TCK))) "$calls")"
        local key
        for key in p50 p99 p999; do
            note "$key.$label.$server" "$(per "$(value "transit_${key}_ns" "$report")" 1000)"
        done
        note "calls.$label.$server" "$calls"
        note "failed.$label.$server" $(($(value started "$report") - calls))
        for key in repeats reordered without_ringing wrong_descriptions; do
            note "$key.$label.$server" "$(value $key "$report")"
        done
        is_clean "$report" || FAILED=1
    done
}

row_of() {
    local label=$1 server=$2
    printf '| %s | %s | %s | %s | %s | %s | %s / %s / %s / %s |\n' "$server" "$(spread "cpu.$label.$server")" \
        "$(spread "ticks.$label.$server" %.0f)" "$(spread "p50.$label.$server")" "$(spread "p99.$label.$server")" \
        "$(spread "p999.$label.$server")" "$(sum "calls.$label.$server")" "$(sum "failed.$label.$server")" \
        "$(sum "repeats.$label.$server")" \
        "$(($(sum "reordered.$label.$server") + $(sum "without_ringing.$label.$server")))"
}

TABLE_HEAD='| server | CPU per call, us | by utime + stime, us | INVITE transit p50, us | p99, us | p99.9, us | calls / failed / repeats / reordered |
| --- | --- | --- | --- | --- | --- | --- |'

mode_pinned() {
    local servers=${SERVERS:-emcc-trunk kamailio-1 floor} round server
    for server in $servers; do start_server "$server" "$CPU_A"; done
    for ((round = 0; round < ${ROUNDS:-4}; round++)); do
        say "pinned, round $((round + 1)) of ${ROUNDS:-4}"
        # shellcheck disable=SC2086 # one word a server
        measure_round "$(rotate "$round" $servers)" "$RATE" "$CPU_A" pinned
    done
    stop_servers
    printf '\n**Pinned**: server and load on CPU %s, %s calls a second, %s rounds of %s s; min / median / max\n\n%s\n' \
        "$CPU_A" "$RATE" "${ROUNDS:-4}" "$LENGTH_S" "$TABLE_HEAD"
    for server in $servers; do row_of pinned "$server"; done
    pinned_ratios
}

# Ours sends 7 datagrams a call, its own 100 included; the forwarder 6.
pinned_ratios() {
    local ours kamailio floor
    ours=$(median cpu.pinned.emcc-trunk)
    kamailio=$(median cpu.pinned.kamailio-1)
    floor=$(median cpu.pinned.floor)
    printf '\nemcc-trunk against Kamailio: %s (bar: at most 0.55); per datagram sent against the forwarder: %s (at most 1.4)\n' \
        "$(ratio "$ours" "$kamailio")" "$(ratio "$(per "$ours" 7)" "$(per "$floor" 6)")"
}

mode_unpinned() {
    local servers=${SERVERS:-emcc-trunk kamailio-1 kamailio-2 floor} rate round server turn=0
    for server in $servers; do start_server "$server"; done
    for ((round = 0; round < ${ROUNDS:-1}; round++)); do
        for rate in $RATES; do
            say "unpinned, $rate calls a second, round $((round + 1)) of ${ROUNDS:-1}"
            # shellcheck disable=SC2086 # one word a server
            measure_round "$(rotate "$turn" $servers)" "$rate" "" "$rate"
            turn=$((turn + 1))
        done
    done
    stop_servers
    printf '\n**Unpinned**: %s rounds of %s s; min / median / max\n' "${ROUNDS:-1}" "$LENGTH_S"
    for rate in $RATES; do
        printf '\n%s calls a second\n\n%s\n' "$rate" "$TABLE_HEAD"
        for server in $servers; do row_of "$rate" "$server"; done
    done
}

# Latencies are there at once: no tail.
mode_transit() {
    ROUNDS=${ROUNDS:-3} RATES=$RATE TAIL_S=2
    mode_unpinned
}

mode_rest() {
    local servers=${SERVERS:-emcc-trunk kamailio-1} server
    printf '\n**At rest**, %s patterns\n\n| server | PSS, MiB |\n| --- | --- |\n' "$PATTERNS"
    for server in $servers; do
        start_server "$server"
        sleep 2
        printf '| %s | %s |\n' "$server" "$(per "$(pss_kib "$server")" 1024)"
        stop_server "$server"
    done
}

mode_load() {
    local server=${1:?run load NAME ARGUMENTS}
    shift
    start_server "$server"
    start_load "$server" "$WORK/report" "" "$@"
    end_load "$WORK/report"
    cat "$WORK/report"
}
