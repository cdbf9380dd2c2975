# The modes of run, one function each. Sourced by run.

head_line() {
    local cpu kernel commit
    cpu=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
    kernel=$(uname -r)
    commit=$(git -C "$top" rev-parse --short HEAD 2>/dev/null || echo "no git")
    # A build that was kept may be of any commit.
    [ -z "$KEPT" ] || commit="kept build $(basename "$KEPT")"
    printf '%s, %s x %s, %s GiB, Linux %s; emcc-trunk %s (%s), kamailio %s, %s; load on this machine now: %s\n' \
        "$(date -u '+%Y-%m-%d %H:%M UTC')" "$(nproc)" "${cpu:-unknown CPU}" \
        "$(awk '/MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)" "$kernel" \
        "$("$TRUNK" --version 2>/dev/null | awk '{ print $NF }')" "$commit" \
        "$(kamailio -v 2>/dev/null | sed -n 's/^version: kamailio \([^ ]*\).*/\1/p')" "$(rustc --version | cut -d' ' -f1,2)" \
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

# Opens calls, holds them until the INVITE transactions are gone, ends them.
mode_memory() {
    local servers=${SERVERS:-emcc-trunk kamailio-1} calls=${CALLS:-50000} server
    printf '\n**Memory**, %s calls opened at %s a second, PSS in MiB\n\n' "$calls" "$RATE"
    printf '| server | at rest | peak of the ramp | %s s later | KiB per open call | %s s after the last call, above rest | calls |\n' \
        "$TAIL_S" "$AFTER_S"
    printf '| --- | --- | --- | --- | --- | --- | --- |\n'
    for server in $servers; do
        say "memory, $server"
        start_server "$server"
        local report=$WORK/report.$server rest peak held after sampler
        rest=$(pss_kib "$server")
        start_load "$server" "$report" "" --standing "$calls" --standing-rate "$RATE" \
            --limit-s $((calls * 2 / RATE + TAIL_S + 120))
        watch_pss "$server" >"$WORK/samples" &
        sampler=$!
        await_word open "$report"
        sleep "$TAIL_S"
        held=$(pss_kib "$server")
        kill "$sampler" 2>/dev/null || true
        wait "$sampler" 2>/dev/null || true
        peak=$(sort -n "$WORK/samples" | tail -n 1)
        kill -USR1 "$LOADER"
        await_word "done" "$report"
        kill -USR1 "$LOADER"
        end_load "$report"
        sleep "$AFTER_S"
        after=$(pss_kib "$server")
        printf '| %s | %s | %s | %s | %s | %s | %s of %s |\n' "$server" "$(per "$rest" 1024)" "$(per "$peak" 1024)" \
            "$(per "$held" 1024)" "$(per $((held - rest)) "$calls")" "$(per $((after - rest)) 1024)" \
            "$(value standing_completed "$report")" "$calls"
        stop_server "$server"
    done
}

watch_pss() {
    while :; do
        pss_kib "$1"
        sleep 1
    done
}

# The same load without and with many calls open, in turns, each turn on a server just started: machines change their speed
# within minutes, so what is beside open calls is held against what was measured before it and after it.
mode_standing() {
    local servers=${SERVERS:-emcc-trunk} calls=${CALLS:-100000} rounds=${ROUNDS:-2} server round
    printf '\n**With %s calls open**: server and load on CPU %s, %s calls a second for %s s; min / median / max\n\n' \
        "$calls" "$CPU_A" "$RATE" "$LENGTH_S"
    printf '| server | CPU per call, none open, us | with %s open, us | ratio |\n| --- | --- | --- | --- |\n' "$calls"
    for server in $servers; do
        local none_before= none some
        for ((round = 0; round <= rounds; round++)); do
            say "standing, $server, turn $((round + 1)) of $((rounds + 1))"
            start_server "$server" "$CPU_A"
            beside_none "$server"
            none=$(per "$COST_NS" "$COMPLETED" 1000)
            note "none.standing.$server" "$none"
            [ -z "$none_before" ] || note "ratio.standing.$server" \
                "$(awk -v some="$some" -v a="$none_before" -v b="$none" 'BEGIN { printf "%.3f", 2 * some / (a + b) }')"
            none_before=$none
            if [ "$round" -lt "$rounds" ]; then
                beside_open "$server" "$calls"
                some=$(per "$COST_NS" "$COMPLETED" 1000)
                note "some.standing.$server" "$some"
            fi
            stop_server "$server"
        done
        printf '| %s | %s | %s | %s |\n' "$server" "$(spread "none.standing.$server" %.0f)" \
            "$(spread "some.standing.$server" %.0f)" "$(spread "ratio.standing.$server" %.2f)"
    done
}

# beside_none SERVER: COST_NS of the server for COMPLETED calls while no other is open.
beside_none() {
    local server=$1 report=$WORK/report.$1 before
    before=$(exec_ns "$server")
    start_load "$server" "$report" "$CPU_A" --steps "$RATE:$LENGTH_S"
    end_load "$report"
    is_clean "$report" || FAILED=1
    sleep "$TAIL_S"
    COST_NS=$(($(exec_ns "$server") - before)) COMPLETED=$(value completed "$report")
}

# beside_open SERVER CALLS: the same while so many are open. They are opened from another CPU, or they would not be in time.
beside_open() {
    local server=$1 calls=$2 report=$WORK/report.$1 before
    start_load "$server" "$report" "$CPU_B" --standing "$calls" --standing-rate "$RATE" --steps "$RATE:$LENGTH_S" \
        --limit-s $((calls * 2 / RATE + 2 * TAIL_S + 60))
    await_word open "$report"
    taskset -acp "$CPU_A" "$LOADER" >/dev/null
    sleep "$TAIL_S"
    before=$(exec_ns "$server")
    kill -USR1 "$LOADER"
    await_word "done" "$report"
    sleep "$TAIL_S"
    COST_NS=$(($(exec_ns "$server") - before))
    taskset -acp "$CPU_B" "$LOADER" >/dev/null
    kill -USR1 "$LOADER"
    end_load "$report"
    is_clean "$report" || FAILED=1
    COMPLETED=$(value completed "$report")
}

# stairs FROM TO PERCENT SECONDS: steps that rise by a share each.
stairs() {
    awk -v r="$1" -v to="$2" -v k="$3" -v s="$4" 'BEGIN {
        for (; r <= to; r *= 1 + k / 100) { printf "%s%d:%s", comma, r, s; comma = "," } }'
}

mode_ceiling() {
    local servers=${SERVERS:-emcc-trunk kamailio-1 kamailio-2} server round
    printf '\n**Where repetitions begin**: calls a second, rising by %s %% every %s s, load on the same cores; min / median / max\n\n' \
        "$STAIR_PERCENT" "$STAIR_S"
    printf '| server | first repetition, failure or refusal at | the step before it | proven for the load |\n| --- | --- | --- | --- |\n'
    for server in $servers; do
        for ((round = 0; round < ${ROUNDS:-1}; round++)); do
            say "ceiling, $server, round $((round + 1)) of ${ROUNDS:-1}"
            start_server "$server"
            climb "$server" "" "" 1000 25000
            stop_server "$server"
            note "first.ceiling.$server" "$FIRST"
            note "before.ceiling.$server" "$BEFORE"
            note "proven.ceiling.$server" "$PROVEN"
        done
        printf '| %s | %s | %s | %s |\n' "$server" "$(spread "first.ceiling.$server" %.0f)" \
            "$(spread "before.ceiling.$server" %.0f)" "$(spread "proven.ceiling.$server" %.0f)"
    done
}

# climb SERVER CPUS "ARGUMENTS" FROM TO: FIRST is the first rate with trouble, BEFORE the one before it, PEAK the most
# calls a second that were completed while one step was offered, PROVEN the rate of the load's self test.
climb() {
    local server=$1 cpus=$2 report=$WORK/report.$1 at
    # shellcheck disable=SC2086 # one word an argument
    start_load "$server" "$report" "$cpus" --steps "$(stairs "$4" "$5" "$STAIR_PERCENT" "$STAIR_S")" $3 \
        --until-repeated --limit-s 150
    end_load "$report"
    FIRST=$(value first_repeated_at_rate "$report") PROVEN=$(value self_test_rate "$report")
    [ "$FIRST" != 0 ] || fail 1 "$server was never in trouble: offer more"
    BEFORE=0 PEAK=0
    while read -r at done; do
        [ "$at" -ge "$FIRST" ] || BEFORE=$at
        PEAK=$(awk -v a="$PEAK" -v b="$done" -v s="$STAIR_S" 'BEGIN { b /= s; printf "%.0f", (a > b) ? a : b }')
    done < <(each_step rate completed_meanwhile "$report")
}

# each_step KEY KEY FILE: two numbers of every step, a line each.
each_step() { sed -n 's/.*"steps"://p' "$3" | grep -o '{[^}]*}' | sed "s/.*\"$1\":\\([0-9.]*\\).*\"$2\":\\([0-9.]*\\).*/\\1 \\2/"; }

# Three times what the server can carry, on a CPU it shares with three busy loops. Its peak is measured before and after,
# since machines change their speed within minutes; the ratio is of the mean of both.
mode_overload() {
    local servers=${SERVERS:-emcc-trunk kamailio-1} server loop call="--hold-ms 1000 --within 1"
    printf '\n**Overload**: server on CPU %s beside three busy loops, load on CPU %s; calls of 1 s with one INFO\n\n' "$CPU_A" "$CPU_B"
    printf '| server | R | offered | calls completed a second: peak before, after, at 3 R | in-dialog requests answered | emergency calls completed | 2 s after: completed, repeated |\n'
    printf '| --- | --- | --- | --- | --- | --- | --- |\n'
    for server in $servers; do
        start_server "$server" "$CPU_A"
        for loop in 1 2 3; do
            taskset -c "$CPU_A" bash -c 'while :; do :; done' &
            BUSY+=($!)
        done
        say "overload, $server: looking for R"
        climb "$server" "$CPU_B" "$call" 300 8000
        sleep "$TAIL_S"
        local report=$WORK/report.$server rate=$FIRST half=$((FIRST / 2)) most=$((FIRST * 3)) peak=$PEAK
        say "overload, $server: R = $FIRST"
        start_load "$server" "$report" "$CPU_B" $call --emergency-percent 2 --limit-s 100 \
            --steps "$half:3,$most:$OVERLOAD_S,$half:2,$half:4"
        end_load "$report"
        cp "$report" "$WORK/overload.$server"
        report=$WORK/overload.$server
        say "overload, $server: its peak once more"
        sleep "$TAIL_S"
        climb "$server" "$CPU_B" "$call" 300 8000
        kill "${BUSY[@]}" 2>/dev/null || true
        wait "${BUSY[@]}" 2>/dev/null || true
        BUSY=()
        stop_server "$server"
        local at_most offered last mean=$(((peak + PEAK) / 2))
        offered=$(each_step rate started_per_s "$report" | sed -n 's/^[0-9]* //;2p')
        at_most=$(each_step rate completed_meanwhile "$report" | sed -n 's/^[0-9]* //;2p')
        last=$(sed -n 's/.*"steps"://p' "$report" | grep -o '{[^}]*}' | tail -n 1)
        echo "$last" >"$WORK/last"
        printf '| %s | %s | %s | %s, %s, %s (%s) | %s of %s | %s of %s | %s of %s, %s |\n' "$server" "$rate" "$offered" "$peak" "$PEAK" \
            "$(per "$at_most" "$OVERLOAD_S" | cut -d. -f1)" "$(ratio "$(per "$at_most" "$OVERLOAD_S")" "$mean")" \
            "$(value within_answered "$report")" "$(value within_sent "$report")" \
            "$(value emergency_completed "$report")" "$(value emergency_started "$report")" \
            "$(value completed "$WORK/last")" "$(value started "$WORK/last")" "$(value repeated "$WORK/last")"
        say "overload, $server: $(sed 's/.*"statuses"/statuses/' "$report")"
    done
}

mode_quick() {
    mode_rest
    ROUNDS=1
    mode_pinned
    STAIR_PERCENT=30 STAIR_S=1
    mode_ceiling
}
