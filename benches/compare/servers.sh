# The servers that are compared: what each is started with. Sourced by run.

# Every server has a loopback address of its own, so that all can stand at once; the two sides of the load are the same
# for all: the call control that calls, and the trunk that is called.
CALLER=127.0.7.10:15060
CALLED=127.0.7.20:15060
declare -A ADDRESS=(
    [emcc-trunk]=127.0.7.1:15060
    [kamailio-1]=127.0.7.2:15060
    [kamailio-2]=127.0.7.3:15060
    [floor]=127.0.7.4:15060
)
# How the first m-line of the INVITE and of its 200 must end at the far side. The offer is 96 97 9 8 0 18 98 101, the
# answer 18 8 101. Our region keeps what fits 8 kbit/s; Kamailio keeps three formats by name.
declare -A OFFER=([emcc-trunk]="18 101" [kamailio-1]="0 18 101" [kamailio-2]="0 18 101" [floor]="96 97 9 8 0 18 98 101")
declare -A ANSWER=([emcc-trunk]="18 101" [kamailio-1]="18 101" [kamailio-2]="18 101" [floor]="18 8 101")

PATTERNS=50000
declare -A PID=()

need_kamailio() {
    [ -z "$(command -v kamailio)" ] || return 0
    local install="apt-get update && apt-get install -y --no-install-recommends kamailio kamailio-extra-modules"
    local become=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null && sudo -n true 2>/dev/null ||
            fail 3 "Kamailio is missing. Run this once: sudo sh -c '$install'"
        become=(sudo -n)
    fi
    say "installing Kamailio: $install"
    "${become[@]}" env DEBIAN_FRONTEND=noninteractive sh -c "$install" >&2 || fail 3 "could not install Kamailio"
    # The package starts a server of its own.
    "${become[@]}" sh -c 'service kamailio stop || true' >&2
}

# The same beginnings of numbers for both servers: country codes, and codes with 2 to 7 digits behind them.
write_prefixes() {
    awk -v most="$PATTERNS" 'BEGIN {
        split("1 44 49 33 39 34 86 91 7 55", code, " ")
        for (i = 1; i <= 10; i++) { print code[i]; seen[code[i]] }
        seed = 7; count = 10
        while (count < most) {
            seed = (seed * 16807) % 2147483647; prefix = code[1 + seed % 10]
            seed = (seed * 16807) % 2147483647; more = 2 + seed % 6
            while (more-- > 0) { seed = (seed * 16807) % 2147483647; prefix = prefix (int(seed / 128) % 10) }
            if (!(prefix in seen)) { print prefix; seen[prefix]; count++ }
        }
    }' >"$WORK/prefixes"
}

# A home node on whose EMCC session every call runs: device mark, roaming device pool, adjunct, line and EMCC search
# space, digit analysis among the same prefixes, trunk of the visited cluster, region, admission, keepalive.
write_trunk() {
    local ip=${ADDRESS[emcc-trunk]}
    awk '{ printf "[[route_pattern]]\npattern = \"%s!\"\npartition = \"PT-Prefixes\"\nroute_list = \"RL-Local\"\n\n", $1 }' \
        "$WORK/prefixes" >"$WORK/patterns.toml"
    cat >"$WORK/trunk.toml" <<TOML
include = ["patterns.toml"]

[cluster]
id = "HQ"

[sip]
listen = ["udp:$ip"]
$([ -z "$WORKERS" ] || echo "workers = $WORKERS")

[admin]
listen = "${ip%:*}:19411"

[intercluster_service_profile]
emcc = true
pstn_access = true
rsvp_agent = true

[feature]
geolocation_filter = "country-and-city"

[emcc_trunk]
css = "CSS-Trunk"
device_pool = "DP-HQ"

[emcc_template]
device_pool = "DP-HQ"

[emergency]
last_resort = ["gateway"]

[[peer]]
name = "call-control"
kind = "call-control"
addresses = ["udp:$CALLER"]

[[peer]]
name = "gateway"
kind = "gateway"
addresses = ["udp:127.0.7.30:15060"]

[[remote_cluster]]
id = "BR"
trunk = ["udp:$CALLED"]
services = ["emcc", "pstn-access", "rsvp-agent"]
rsvp_policy = "mandatory"
link_audio_kbps = 100000000
link_video_kbps = 100000000

[[geolocation]]
name = "GL-London"
country = "GB"
A3 = "London"

[[geolocation_filter]]
name = "country-and-city"
fields = ["country", "A3"]

[[device_pool]]
name = "DP-HQ"
local_route_groups = { "Standard Local Route Group" = "RG-HQ" }

[[device_pool]]
name = "DP-London"
geolocation = "GL-London"
adjunct_css = "CSS-London"
local_route_groups = { "Standard Local Route Group" = "RG-HQ" }

[[css]]
name = "CSS-Trunk"
partitions = ["PT-Emergency"]

[[css]]
name = "CSS-London"
partitions = ["PT-Emergency"]

[[css]]
name = "CSS-Line"
partitions = ["PT-Emergency", "PT-Internal"]

[[css]]
name = "CSS-EMCC"
partitions = ["PT-Prefixes"]

[[route_pattern]]
pattern = "911"
partition = "PT-Emergency"
route_list = "RL-Local"
urgent = true
emergency = true

[[directory_number]]
pattern = "5XXX"
partition = "PT-Internal"
peer = "call-control"

[[route_list]]
name = "RL-Local"
members = ["Standard Local Route Group"]

[[route_group]]
name = "RG-HQ"
peers = ["gateway"]

[[user]]
id = "alice"
directory_number = "5001"
line_css = "CSS-Line"
emcc_css = "CSS-EMCC"
emcc_enabled = true

[[emcc_session]]
user = "alice"
device = "SEP001122334455"
visiting_cluster = "BR"
geolocation = { country = "GB", A3 = "London" }
TOML
}

# The peer doing the policy work it can: transactions, dialogs, calls counted by trunk in and out, prefix look-up,
# formats filtered in offer and answer. Children is the number of processes on its socket.
write_kamailio() {
    local name=$1 children=${1#kamailio-} folder=$WORK/$1
    mkdir -p "$folder"
    awk -v hop="${CALLED/:/\\:}" 'BEGIN { print "tprefix(string) tvalue(string)" } { print $1 ":" hop }' \
        "$WORK/prefixes" >"$folder/prefixes"
    printf 'table_name(string) table_version(int)\nmtree:1\nprefixes:1\n' >"$folder/version"
    cat >"$folder/kamailio.cfg" <<CFG
debug = 0
log_stderror = yes
children = $children
listen = udp:${ADDRESS[$name]}
disable_tcp = yes
auto_aliases = no
dns = no
rev_dns = no
use_dns_cache = off
dns_try_naptr = no
dns_srv_lb = off
server_signature = no

loadmodule "db_text"
loadmodule "tm"
loadmodule "sl"
loadmodule "rr"
loadmodule "pv"
loadmodule "maxfwd"
loadmodule "siputils"
loadmodule "textops"
loadmodule "sdpops"
loadmodule "dialog"
loadmodule "mtree"

modparam("tm", "failure_reply_mode", 3)
modparam("tm", "fr_timer", 5000)
modparam("tm", "fr_inv_timer", 60000)
modparam("rr", "enable_full_lr", 0)
modparam("rr", "append_fromtag", 0)
modparam("dialog", "db_mode", 0)
modparam("dialog", "hash_size", 16384)
modparam("dialog", "enable_stats", 1)
modparam("dialog", "profiles_with_value", "from_trunk;to_trunk")
modparam("mtree", "db_url", "text://$folder")
modparam("mtree", "mtree", "name=prefixes;dbtable=prefixes")
modparam("mtree", "char_list", "0123456789")
modparam("mtree", "pv_value", "\$var(hop)")

request_route {
    if (!mf_process_maxfwd_header("10")) {
        sl_send_reply("483", "Too Many Hops");
        exit;
    }
    if (is_method("CANCEL")) {
        if (t_check_trans()) t_relay();
        exit;
    }
    if (has_totag()) {
        if (loose_route()) {
            t_relay();
        } else if (!is_method("ACK")) {
            sl_send_reply("404", "Not Here");
        } else if (t_check_trans()) {
            t_relay();
        }
        exit;
    }
    t_check_trans();
    if (!is_method("INVITE")) {
        sl_send_reply("405", "Method Not Allowed");
        exit;
    }
    remove_hf("Route");
    record_route();
    if (!mt_match("prefixes", "\$rU", "0")) {
        sl_send_reply("404", "No Route");
        exit;
    }
    dlg_manage();
    set_dlg_profile("from_trunk", "\$si");
    set_dlg_profile("to_trunk", "\$var(hop)");
    if (has_body("application/sdp")) sdp_keep_codecs_by_name("PCMU,G729,telephone-event");
    \$du = "sip:" + \$var(hop);
    if (!t_relay()) sl_reply_error();
    exit;
}

onreply_route {
    if (has_body("application/sdp")) sdp_keep_codecs_by_name("PCMU,G729,telephone-event");
}
CFG
}

# start_server NAME [CPUS]: starts it and waits until its address is taken.
start_server() {
    local name=$1 cpus=${2:-} on=()
    [ -z "$cpus" ] || on=(taskset -c "$cpus")
    case $name in
        emcc-trunk) "${on[@]}" "$TRUNK" run --config "$WORK/trunk.toml" >"$WORK/$name.log" 2>&1 & ;;
        kamailio-*)
            "${on[@]}" kamailio -DD -E -x fm -X fm -m 4096 -M 32 -b 4194304 -f "$WORK/$name/kamailio.cfg" \
                -Y "$WORK/$name" -P "$WORK/$name/pid" >"$WORK/$name.log" 2>&1 &
            ;;
        floor) "${on[@]}" "$LOAD_BIN/floor" "${ADDRESS[floor]}" "$CALLER" "$CALLED" >"$WORK/$name.log" 2>&1 & ;;
        *) fail 2 "no server is called $name" ;;
    esac
    PID[$name]=$!
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        kill -0 "${PID[$name]}" 2>/dev/null || { tail -n 20 "$WORK/$name.log" >&2; fail 3 "$name did not start"; }
        is_listening "${ADDRESS[$name]}" && { sleep 1; return; }
        sleep 0.1
    done
    fail 3 "$name does not listen on ${ADDRESS[$name]}"
}

# The kernel's table has addresses as hexadecimal, least octet first.
is_listening() {
    local ip=${1%:*} port=${1#*:} a b c d
    IFS=. read -r a b c d <<<"$ip"
    grep -q "$(printf '%02X%02X%02X%02X:%04X' "$d" "$c" "$b" "$a" "$port")" /proc/net/udp
}

stop_server() {
    local name=$1 pid=${PID[$1]:-}
    [ -n "$pid" ] || return 0
    unset "PID[$name]"
    # A shell lets its background processes ignore SIGINT; the node takes it all the same, and SIGTERM would drain it.
    [ "$name" = emcc-trunk ] && kill -INT "$pid" 2>/dev/null || kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

stop_servers() {
    local name
    for name in "${!PID[@]}"; do stop_server "$name"; done
}
