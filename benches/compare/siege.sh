# The mode siege of run: a node beset from outside while neighbours go on calling. Sourced by run.

# Calls come over UDP from the neighbour of the other modes and go to its trunk; others come over TCP and go by a trunk of
# TCP, so that the node accepts connections and opens some beside all those that are not wanted.
STREAM_CALLER=127.0.7.11:15060
STREAM_CALLED=127.0.7.21:15060
STREAM_PHONE=SEP001122334456
# A neighbour with a configured rate, and one that opens streams.
LOUD=127.0.7.40
PROMISING=127.0.7.41
# Whoever the configuration does not know, and the network in which it has its phones.
STRANGERS=127.64.0.1
PHONES=127.65.0.1 PHONES_NETWORK=127.65.0.0/16

# Trusted calls a second of each transport beside connections; the length of one load, each with a connection of its own.
BESIDE_RATE=50 SLICE_S=5
# How long all connections are kept once they are open.
HOLD_S=${HOLD_S:-20}
# Connections that promise, octets each promises, octets it sends.
PROMISES=${PROMISES:-10000} PROMISED=200000000 PROMISE_BODY=8192
# At a time: as many as the node lets in of one neighbour's address, of all phones, and for strangers as many.
AT_ONCE_NEIGHBOUR=190 AT_ONCE_PHONES=3500 AT_ONCE_STRANGERS=3800 PER_ADDRESS=64
# How many times more than the trusted calls, and than the configured rate.
TIMES=20
# Messages of a call that come to the node: INVITE, ACK, BYE; 180, 200, 200.
MESSAGES=6
STRANGERS_COUNT=1000
# Bars.
RISE_KIB_MAX=65536 RATIO_MAX=2

# The node of the other modes, with more neighbours. Nobody is asked whether he lives: between two loads nobody does.
widen_trunk() {
    local ip=${ADDRESS[emcc-trunk]}
    sed -i "s|^listen = \[\"udp:$ip\"\]\$|listen = [\"udp:$ip\", \"tcp:$ip\"]\nphones = [\"$PHONES_NETWORK\"]\nhealth_s = 0|" \
        "$WORK/trunk.toml"
    cat >>"$WORK/trunk.toml" <<TOML

[[peer]]
name = "call-control-of-streams"
kind = "call-control"
addresses = ["tcp:$STREAM_CALLER"]

[[peer]]
name = "loud"
kind = "gateway"
addresses = ["udp:$LOUD:5060"]
rate_per_s = $RATE

[[peer]]
name = "promising"
kind = "gateway"
addresses = ["tcp:$PROMISING:5060"]

[[remote_cluster]]
id = "CH"
trunk = ["tcp:$STREAM_CALLED"]
services = ["emcc", "pstn-access", "rsvp-agent"]
rsvp_policy = "mandatory"
link_audio_kbps = 100000000
link_video_kbps = 100000000

[[user]]
id = "bob"
directory_number = "5002"
line_css = "CSS-Line"
emcc_css = "CSS-EMCC"
emcc_enabled = true

[[emcc_session]]
user = "bob"
device = "$STREAM_PHONE"
visiting_cluster = "CH"
geolocation = { country = "GB", A3 = "London" }
TOML
}

# calls KIND OUT ARGUMENTS...: one load of trusted calls over udp or tcp, from CPU B.
calls() {
    local kind=$1 out=$2 ends=(--caller "$CALLER" --called "$CALLED")
    shift 2
    [ "$kind" = udp ] || ends=(--tcp --phone "$STREAM_PHONE" --caller "$STREAM_CALLER" --called "$STREAM_CALLED")
    taskset -c "$CPU_B" "$LOAD_BIN/load" --target "${ADDRESS[emcc-trunk]}" "${ends[@]}" \
        --expect-offer "${OFFER[emcc-trunk]}" --expect-answer "${ANSWER[emcc-trunk]}" "$@" >"$out" 2>"$out.err"
}

# Reads the report of a load into the series of a label. A load that did not report has lost all its calls.
note_calls() {
    local label=$1 out=$2 offered=$3
    if [ -s "$out" ]; then
        note "placed.$label" "$(value started "$out")"
        note "lost.$label" $(($(value started "$out") - $(value completed "$out")))
        note "repeats.$label" "$(value repeats "$out")"
        [ "$(value started "$out")" = "$(value completed "$out")" ] ||
            say "$label: $(grep -o '"started.*"unfinished":[0-9]*\|"not_sent":[0-9]*\|"statuses":[^a-z]*' "$out" | tr '\n' ' ')"
        note "p99.$label" "$(per "$(value transit_p99_ns "$out")" 1000)"
    else
        say "a load did not report: $(head -n 1 "$out.err")"
        note "placed.$label" "$offered"
        note "lost.$label" "$offered"
    fi
}

# Loads of both transports, one after the other, until they are told to end. The first proves the generator.
TRUSTED=()
begin_calls() {
    local label=$1 kind
    touch "$WORK/going"
    for kind in udp tcp; do
        (
            number=0
            while [ -e "$WORK/going" ]; do
                number=$((number + 1))
                calls "$kind" "$WORK/slice.$label.$kind.$number" --steps "$BESIDE_RATE:$SLICE_S" --limit-s 60 \
                    --no-self-test || true
            done
        ) &
        TRUSTED+=($!)
    done
    BUSY+=("${TRUSTED[@]}")
}

end_calls() {
    local label=$1 kind number
    rm -f "$WORK/going"
    wait "${TRUSTED[@]}" || true
    TRUSTED=() BUSY=()
    for kind in udp tcp; do
        for ((number = 1; ; number++)); do
            [ -e "$WORK/slice.$label.$kind.$number" ] || break
            note_calls "$label.$kind" "$WORK/slice.$label.$kind.$number" $((BESIDE_RATE * SLICE_S))
        done
    done
}

# The same calls with nothing beside them, which also prove that the generator carries them.
calm_calls() {
    local kind
    [ ! -s "$WORK/series.p99.calm.udp" ] || return 0
    say "calls with nothing beside them"
    for kind in udp tcp; do
        calls "$kind" "$WORK/calm.$kind" --steps "$BESIDE_RATE:$SLICE_S,$BESIDE_RATE:$SLICE_S" --limit-s 60 ||
            fail 4 "the load did not report: $(cat "$WORK/calm.$kind.err")"
        note_calls "calm.$kind" "$WORK/calm.$kind" $((2 * BESIDE_RATE * SLICE_S))
    done
}

# status KEY: a number of the node's, KiB.
status() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/${PID[emcc-trunk]}/status"; }
descriptors() { find "/proc/${PID[emcc-trunk]}/fd" -mindepth 1 2>/dev/null | wc -l; }
# Lets the kernel forget the highest resident set so far. Where that is not allowed, the rise is told too high, never too low.
forget_peak() { { echo 5 >"/proc/${PID[emcc-trunk]}/clear_refs"; } 2>/dev/null || true; }

SIEGE_ROWS=()
# row WHO "WHAT THE NODE DID" LABEL BAR MET: the calls of both transports, or of one, are read from their series.
siege_row() {
    local who=$1 did=$2 label=$3 bar=$4 met=$5 without=$6 beside=$7
    SIEGE_ROWS+=("| $who | $did | $(siege_sum placed "$label"), $(siege_sum lost "$label") | $without; $beside | $bar | $met |")
    [ "$(siege_sum lost "$label")" = 0 ] || FAILED=1
}
siege_sum() { { cat "$WORK/series.$1.$2".* "$WORK/series.$1.$2" 2>/dev/null || true; } | awk '{ s += $1 } END { print s + 0 }'; }
# both LABEL: the median of the loads' p99 over UDP and over TCP, and the highest.
both() {
    local kind
    for kind in udp tcp; do
        [ -s "$WORK/series.p99.$1.$kind" ] || { printf '%s - ' "$kind"; continue; }
        printf '%s %.0f (%.0f) ' "$kind" "$(median "p99.$1.$kind")" "$(sort -n "$WORK/series.p99.$1.$kind" | tail -n 1)"
    done | sed 's/ $//'
}
verdict() { if "$@"; then echo met; else echo missed; fi; }
is_at_most() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a <= b) }'; }

# Descriptors one process of ours may have; root may ask for more.
descriptors_of_ours() {
    ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
    ulimit -n
}

siege_idle() {
    local who=$1 from=$2 per_address=$3 again=$4 label=idle.$1 sockets=$SOCKETS each most processes number
    most=$(($(descriptors_of_ours) - 64))
    # Several processes, each with addresses of its own.
    processes=$(((sockets + most - 1) / most))
    [ "$processes" -ge 4 ] || processes=4
    each=$(((sockets + processes - 1) / processes))
    calm_calls
    forget_peak
    local rest_kib rest_fds
    rest_kib=$(status VmRSS) rest_fds=$(descriptors)
    begin_calls "$label"
    sleep 2
    say "idle: $sockets connections of $who by $processes processes"
    local sieges=() octet
    for ((number = 0; number < processes; number++)); do
        octet=$((number * 32))
        # shellcheck disable=SC2086 # none, or one word
        taskset -c "$CPU_B" nice -n 5 "$LOAD_BIN/siege" idle --target "${ADDRESS[emcc-trunk]}" --from "${from/.0.1/.$octet.1}" \
            --connections "$each" --per-address "$per_address" $again --limit-s 240 \
            >"$WORK/idle.$who.$number" 2>"$WORK/idle.$who.$number.err" &
        sieges+=($!)
    done
    BUSY+=("${sieges[@]}")
    for ((number = 0; number < processes; number++)); do
        LOADER=${sieges[number]}
        await_word open "$WORK/idle.$who.$number"
    done
    LOADER=
    sleep "$HOLD_S"
    local held rss
    held=$(($(descriptors) - rest_fds)) rss=$(status VmRSS)
    kill -USR1 "${sieges[@]}"
    wait "${sieges[@]}" || fail 3 "$(cat "$WORK/idle.$who".*.err)"
    end_calls "$label"
    local opened=0 kept=0 standing=0 refused=0
    for ((number = 0; number < processes; number++)); do
        opened=$((opened + $(value opened "$WORK/idle.$who.$number")))
        kept=$((kept + $(value kept "$WORK/idle.$who.$number")))
        standing=$((standing + $(value standing "$WORK/idle.$who.$number")))
        refused=$((refused + $(value refused "$WORK/idle.$who.$number")))
    done
    [ "$kept" -ge "$sockets" ] || SHORT+=("only $kept of $sockets connections of $who could be kept open")
    say "idle, $who: opened $opened, refused $refused, kept $kept, standing $standing"
    siege_row "$kept idle connections of $who, $opened opened" \
        "held $standing; $held descriptors more than at rest; RSS $(per "$rss" 1024) MiB of $(per "$rest_kib" 1024) at rest, peak $(per "$(status VmHWM)" 1024)" \
        "$label" "0 calls lost" "$(verdict [ "$(siege_sum lost "$label")" = 0 ])" "$(both calm)" "$(both "$label")"
}

siege_promise() {
    local who=$1 from=$2 per_address=$3 at_once=$4 label=promise.$1 out=$WORK/promise.$1 rest peak code=0
    calm_calls
    begin_calls "$label"
    sleep 2
    say "promise: $PROMISES connections of $who"
    forget_peak
    rest=$(status VmRSS)
    taskset -c "$CPU_B" nice -n 5 "$LOAD_BIN/siege" promise --target "${ADDRESS[emcc-trunk]}" --from "$from" --connections "$PROMISES" \
        --per-address "$per_address" --at-once "$at_once" --length "$PROMISED" --body "$PROMISE_BODY" --limit-s 240 \
        >"$out" 2>"$out.err" &
    LOADER=$!
    wait "$LOADER" || code=$?
    LOADER=
    [ "$code" -eq 0 ] || fail 3 "$(cat "$out.err")"
    peak=$(status VmHWM)
    end_calls "$label"
    say "promise, $who: $(cat "$out")"
    local rise=$((peak - rest)) met=missed
    is_at_most "$rise" "$RISE_KIB_MAX" && [ "$(siege_sum lost "$label")" = 0 ] && met=met
    siege_row "$(value opened "$out") connections of $who, $(value at_once "$out") at once, each promising $PROMISED octets" \
        "413 to $(value answered_413 "$out"), closed unanswered $(value closed_unanswered "$out"), otherwise $(value answered_otherwise "$out"), left open $(value left_open "$out"); RSS +$(per "$rise" 1024) MiB from $(per "$rest" 1024)" \
        "$label" "RSS +64 MiB, 0 calls lost" "$met" "$(both calm)" "$(both "$label")"
}

# One turn: the same calls with nothing beside them, beside strangers, and beside the neighbour that is too loud.
siege_flood_turn() {
    local what=$1 first=$2 proof=--no-self-test flooder= label=flood.$1
    local out=$WORK/$label
    [ "$first" = no ] || proof=
    case $what in
        calm) ;;
        strangers)
            taskset -c "$CPU_B" nice -n 19 "$LOAD_BIN/siege" flood --target "${ADDRESS[emcc-trunk]}" --from "${STRANGERS/64/66}" \
                --addresses "$STRANGERS_COUNT" --rate $((RATE * MESSAGES * TIMES)) --seconds $((LENGTH_S + 2)) \
                >"$out.siege" 2>"$out.siege.err" &
            flooder=$!
            ;;
        neighbour)
            taskset -c "$CPU_B" nice -n 19 "$LOAD_BIN/siege" flood --target "${ADDRESS[emcc-trunk]}" --from "$LOUD" --addresses 1 \
                --rate $((RATE * TIMES)) --seconds $((LENGTH_S + 2)) --acknowledge >"$out.siege" 2>"$out.siege.err" &
            flooder=$!
            ;;
    esac
    [ -z "$flooder" ] || { BUSY=("$flooder"); sleep 1; }
    # shellcheck disable=SC2086 # none, or one word
    calls udp "$out" --steps "$RATE:$LENGTH_S" --limit-s 60 $proof || true
    note_calls "$label" "$out" $((RATE * LENGTH_S))
    [ -n "$flooder" ] || return 0
    wait "$flooder" || fail 3 "$(cat "$out.siege.err")"
    BUSY=()
    note "sent.$label" "$(value sent_per_s "$out.siege")"
    note "not_sent.$label" "$(value not_sent "$out.siege")"
    note "answers.$label" "$(value answers "$out.siege")"
    say "flood, $what: p99 $(tail -n 1 "$WORK/series.p99.$label"); $(cat "$out.siege")"
    # What was opened for it is over before the next turn, the transactions apart.
    sleep 2
}

siege_flood() {
    local turns=${ROUNDS:-7} turn what first=yes
    for ((turn = 0; turn < turns; turn++)); do
        say "flood, turn $((turn + 1)) of $turns"
        for what in $(rotate "$turn" calm strangers neighbour); do
            siege_flood_turn "$what" "$first"
            first=no
        done
    done
    local calm beside met rate
    calm=$(median p99.flood.calm)
    for what in strangers neighbour; do
        beside=$(median "p99.flood.$what") met=missed rate=$((RATE * TIMES))
        [ "$what" = neighbour ] || rate=$((rate * MESSAGES))
        is_at_most "$beside" "$(awk -v c="$calm" -v m="$RATIO_MAX" 'BEGIN { print c * m }')" &&
            [ "$(siege_sum lost "flood.$what")" = 0 ] && met=met
        # A flood that did not come proves nothing.
        is_at_most "$((rate * 95 / 100))" "$(median "sent.flood.$what")" ||
            { met=missed; SHORT+=("the flood of $what was $(median "sent.flood.$what") a second in place of $rate"); }
        local who="$(median "sent.flood.$what") requests a second of $STRANGERS_COUNT strangers"
        [ "$what" = strangers ] ||
            who="$(median "sent.flood.$what") requests a second of a neighbour whose rate is $RATE"
        siege_row "$who" "$(sum "answers.flood.$what") answers in $turns turns; $(sum "repeats.flood.$what") repeats of trusted calls (without: $(sum repeats.flood.calm))" \
            "flood.$what" "p99 at most twice, 0 calls lost" "$met" "$(spread p99.flood.calm %.0f)" \
            "$(spread "p99.flood.$what" %.0f) ($(ratio "$beside" "$calm") times)"
    done
    [ "$(siege_sum lost flood.calm)" = 0 ] || SHORT+=("$(siege_sum lost flood.calm) calls were lost with nothing beside them")
}

SHORT=()
mode_siege() {
    local parts=${PARTS:-idle promise flood} part row
    for part in $parts; do
        start_server emcc-trunk "$CPU_A"
        case $part in
            idle)
                siege_idle strangers "$STRANGERS" 250 ""
                sleep 5
                siege_idle phones "$PHONES" "$PER_ADDRESS" --again
                ;;
            promise)
                siege_promise strangers "$STRANGERS" 250 "$AT_ONCE_STRANGERS"
                siege_promise neighbour "$PROMISING" "$PROMISES" "$AT_ONCE_NEIGHBOUR"
                siege_promise phones "$PHONES" "$PER_ADDRESS" "$AT_ONCE_PHONES"
                ;;
            flood) siege_flood ;;
            *) fail 2 "no part of siege is called $part" ;;
        esac
        stop_server emcc-trunk
    done
    printf '\n**Siege**: node on CPU %s, everything else on CPU %s; trusted calls beside connections: %s a second over UDP and as many over TCP, a new connection every %s s; beside floods %s a second over UDP\n\n' \
        "$CPU_A" "$CPU_B" "$BESIDE_RATE" "$SLICE_S" "$RATE"
    printf '| beset by | what the node did | trusted calls placed, lost | INVITE transit p99, us: without; beside | bar | |\n'
    printf '| --- | --- | --- | --- | --- | --- |\n'
    for row in ${SIEGE_ROWS[@]+"${SIEGE_ROWS[@]}"}; do printf '%s\n' "$row"; done
    for row in ${SHORT[@]+"${SHORT[@]}"}; do printf '\nNot at full scale: %s.\n' "$row"; done
    printf '\np99 beside connections: the median of the loads and, in brackets, the highest; beside floods minimum / median / maximum.\n'
}
