#!/bin/sh
# run.sh -- `make run`: the whole path on this machine. A development
# certificate, two wsserver nodes on one database file, alb in front of them;
# their logs until Ctrl-C.
#
#     run.sh BIN DIR [OPTION...]     the folder of the programs; where everything is kept
#
# With --edge a stand-in for a CDN edge is in front, and alb admits nobody else.
# Other ports by variables: make run HTTP_PORT=8081.
set -eu

bin=$1 dir=$2
shift 2
http=${HTTP_PORT:-8080} https=${HTTPS_PORT:-8443} admin=${ADMIN_PORT:-9100}
n1=${N1_PORT:-9001} n2=${N2_PORT:-9002} edge=${EDGE_PORT:-8090}
policy=''
keepers=''
# Who may connect: everybody here, or the address that the stand-in connects from.
allowed=127.0.0.0/8 edge_address=127.0.0.2 secret=''

fail() {
    echo "make run: $*" >&2
    exit 1
}

usage() {
    cat <<END
make run                      alb and two wsserver nodes on this machine
make run ARGS=OPTIONS         with these:

  --edge, --edge=good         a stand-in for a CDN edge in front; it forwards all of a viewer's fields
  --edge=bad                  ... or no more than a CDN does unless told to: WebSockets fail, and the answer says why
  --policy NAME               ... by the origin request policy's name: AllViewer (good), AllViewerExceptHostHeader, none (bad)
  --help                      this

Ports: HTTP_PORT=$http HTTPS_PORT=$https ADMIN_PORT=$admin N1_PORT=$n1 N2_PORT=$n2 EDGE_PORT=$edge
END
}

read_options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --edge | --edge=good) policy=${policy:-AllViewer} ;;
        --edge=bad) policy=none ;;
        --policy)
            case ${2-} in
            AllViewer | AllViewerExceptHostHeader | none) policy=$2 ;;
            *) fail "--policy is AllViewer, AllViewerExceptHostHeader or none" ;;
            esac
            shift
            ;;
        --help)
            usage
            exit 0
            ;;
        *) fail "no such option: $1 (make run ARGS=--help lists them)" ;;
        esac
        shift
    done
    [ -z "$policy" ] || allowed=$edge_address/32
}

stop() {
    trap '' TERM HUP INT
    # shellcheck disable=SC2086 # a list of process ids
    [ -z "$keepers" ] || kill -TERM $keepers 2>/dev/null || :
    wait
}

# State 0A is LISTEN; on 127.0.0.1 or on all addresses, IPv4-mapped ones too.
is_taken() {
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk -v port="$(printf '%04X' "$1")" '
            $4 == "0A" && $2 ~ "^(0+|0*(FFFF0000)?0100007F):" port "$" { found = 1 }
            END { exit !found }'
}

check_ports() {
    for pair in "HTTP_PORT $http" "HTTPS_PORT $https" "ADMIN_PORT $admin" "N1_PORT $n1" "N2_PORT $n2" \
        ${policy:+"EDGE_PORT $edge"}; do
        port=${pair#* }
        ! is_taken "$port" ||
            fail "port $port is taken by another program: stop it, or choose another port:" \
                "make run ${pair% *}=$((port + 10000 < 65536 ? port + 10000 : port - 10000))"
    done
}

write_node() { # NAME PORT
    cat >"$dir/$1.ini" <<END
; $1.ini -- written by \`make run\` each time it starts.
[wsserver]
bind = 127.0.0.1:$2
node = $1
store = sqlite
; As large as a test through /t/echo may want it; a chat does with the default.
max_message_bytes = 16m
shutdown_timeout = 1s
[sqlite]
path = $dir/chat.db
[test]
enabled = yes
END
}

write_alb() {
    cat >"$dir/alb.ini" <<END
; alb.ini -- written by \`make run\` each time it starts. After a change:
; $bin/alb reload --socket $dir/alb.sock
[alb]
name = app/run/1
admin = 127.0.0.1:$admin
control = $dir/alb.sock
seal_key_file = $dir/seal.keys
idle_timeout.timeout_seconds = 300
websocket.ping_interval = 25s
access_logs.enabled = true
shutdown_timeout = 1s

[edge]
allow = $allowed
$secret

[listener http]
bind = 127.0.0.1:$http
protocol = HTTP
default_action = fixed-response 404 text/plain "There is nothing here."

[listener https]
bind = 127.0.0.1:$https
protocol = HTTPS
certificate = $dir/localhost.pem
default_action = fixed-response 404 text/plain "There is nothing here."

; Round robin without stickiness: two tabs are on two nodes, and meet all the same.
[target_group chat]
target = 127.0.0.1:$n1
target = 127.0.0.1:$n2
health_check.path = /ready
health_check.interval_seconds = 1
health_check.timeout_seconds = 500ms
health_check.healthy_threshold_count = 2
deregistration_delay.timeout_seconds = 10

; The same nodes, with a cookie that brings a client back to the one it had.
[target_group test]
target = 127.0.0.1:$n1
target = 127.0.0.1:$n2
health_check.path = /ready
health_check.interval_seconds = 1
health_check.timeout_seconds = 500ms
health_check.healthy_threshold_count = 2
deregistration_delay.timeout_seconds = 10
stickiness.enabled = true
END
    for listener in http https; do
        cat >>"$dir/alb.ini" <<END

[rule test-$listener]
listener = $listener
priority = 10
path-pattern = /t/*
action = forward test

[rule chat-$listener]
listener = $listener
priority = 20
path-pattern = / /ws /ws/* /health /*.*
action = forward chat
END
    done
}

start() { # NAME COMMAND...
    name=$1
    shift
    rm -f "$dir/$name.ready"
    setpriv --pdeathsig TERM tools/keep.sh "$name" "$dir/$name.ready" "$@" --ready-file "$dir/$name.ready" &
    keepers="$keepers $!"
    waited=0
    while [ ! -e "$dir/$name.ready" ]; do
        kill -0 $! 2>/dev/null || fail "$name did not start: the reason is above"
        [ $waited -lt 200 ] || fail "$name does not serve after 20 s"
        waited=$((waited + 1))
        sleep 0.1
    done
}

pid_of() {
    sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "$dir/$1.ready"
}

# As an origin's custom header at a CDN: another customer's edge does not know it.
make_secret() {
    [ -s "$dir/origin-secret" ] || (umask 077 && openssl rand -hex 32 >"$dir/origin-secret")
    secret="secret_header = X-Origin-Verify
secret_file = $dir/origin-secret"
}

start_edge() {
    start edge /usr/bin/python3 tests/edge/edge.py --listen "127.0.0.1:$edge" --origin "127.0.0.1:$http" \
        --source "$edge_address" --policy "$policy" --origin-header "X-Origin-Verify: @$dir/origin-secret"
}

say_where() {
    cat <<END

  open      http://127.0.0.1:$http/    in two tabs: they are on two nodes, in one room
  or        https://127.0.0.1:$https/   with a certificate of our own, which the browser will doubt
END
}

say_where_edge() {
    upgrade="curl -im 2 -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \\
              -H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==' http://127.0.0.1:$edge/ws/lobby"
    cat <<END

  open      http://127.0.0.1:$edge/    through a stand-in for a CDN edge, origin request policy $policy
END
    if [ "$policy" = none ]; then
        cat <<END
            The page comes, its WebSocket does not. Why, and what to change at the edge:
  upgrade   $upgrade
            "WebSocket upgrade failed: stripped", then cause and cure. ARGS=--edge=good has the right policy.
END
    else
        cat <<END
            in two tabs: they are on two nodes, in one room
  upgrade   $upgrade
            "HTTP/1.1 101 Switching Protocols". ARGS=--edge=bad has the wrong policy.
END
    fi
    cat <<END
  straight  curl -m 2 http://127.0.0.1:$http/    is never answered: alb admits the edge alone ($edge_address)
  stolen    curl -im 2 --interface $edge_address http://127.0.0.1:$http/    403: from its address, without the secret that it adds
END
}

read_options "$@"
for tool in setsid setpriv openssl awk ${policy:+/usr/bin/python3}; do
    command -v "$tool" >/dev/null || fail "the command $tool is missing"
done
check_ports
mkdir -p "$dir"
sh conf/make-cert.sh "$dir/localhost.pem"
[ -s "$dir/seal.keys" ] || (umask 077 && openssl rand -hex 32 >"$dir/seal.keys")
write_node n1 "$n1"
write_node n2 "$n2"
[ -z "$policy" ] || make_secret
write_alb

trap stop EXIT
trap 'exit 0' INT TERM HUP
for node in n1 n2; do start $node "$bin/wsserver" run "$dir/$node.ini"; done
start alb "$bin/alb" run "$dir/alb.ini"
if [ -n "$policy" ]; then
    start_edge
    say_where_edge
else
    say_where
fi
cat <<END
  admin     http://127.0.0.1:$admin/status and /metrics
  nodes     n1 is process $(pid_of n1), n2 is process $(pid_of n2): kill -9 one and watch the page
  change    $dir/alb.ini, then: $bin/alb reload --socket $dir/alb.sock
  Ctrl-C stops everything.

END
# A signal ends the wait, and with it this.
wait
