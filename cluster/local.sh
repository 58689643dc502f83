#!/usr/bin/env bash
# A Ray cluster of three nodes on this machine: a head that does no work, a node for drivers, a node for tools.
#
#   cluster/local.sh start            start it
#   eval "$(cluster/local.sh env)"    let this shell's ftrl and ray use it
#   cluster/local.sh status           what runs
#   cluster/local.sh stop             end it, and nothing else: only processes that it started itself
#
# It has ports of its own and stands beside any other Ray. Its dashboard listens on 127.0.0.1 only; Ray's other ports do
# on every address of this machine, and ask for the token that is made at each start.
#   FTRL_CLUSTER_DIR    where it keeps its state (a short path: Ray puts sockets there); /tmp/ftrl-cluster-USER-ID
#   FTRL_CLUSTER_PORT   for start: the first of its ports, 6400: head 6400, dashboard 6401, the others up to 6425
#   FTRL_CLUSTER_CPUS   CPUs that each of the two nodes offers, 2
set -euo pipefail

dir=${FTRL_CLUSTER_DIR:-/tmp/ftrl-cluster-$(id -u)}
port=$(cat "$dir/port" 2>/dev/null) || port=${FTRL_CLUSTER_PORT:-6400} # of the cluster that was started last
cpus=${FTRL_CLUSTER_CPUS:-2}
nodes=(head drivers tools)

say() { echo "local.sh: $*" >&2; }

pid_of() { # the process of a node, if it lives and is the one that was started here
  local pid
  pid=$(cat "$dir/$1.pid" 2>/dev/null) || return 1
  ps -o args= -p "$pid" 2>/dev/null | grep -q -- "--node-name=ftrl-$port-$1" || return 1
  echo "$pid"
}

settings() {
  cat <<SETTINGS
export RAY_ADDRESS=127.0.0.1:$port
export RAY_API_SERVER_ADDRESS=http://127.0.0.1:$((port + 1))
export RAY_AUTH_MODE=token
export RAY_AUTH_TOKEN_PATH=$dir/token
export RAY_USAGE_STATS_ENABLED=0
SETTINGS
}

start_node() { # name, number, further options of ray start
  local name=$1 first=$((port + 10 * $2)) attempt
  shift 2
  for attempt in 1 2 3; do # Ray gives a node 30 seconds to start, which a busy machine may not keep
    if [ "$attempt" -gt 1 ]; then say "the node '$name' was too slow to start; once more"; fi
    : >"$dir/$name.log" # it is looked into before the node may have begun to write it
    setsid ray start --block --node-name="ftrl-$port-$name" --object-store-memory=200000000 --min-worker-port=0 \
      --max-worker-port=0 --dashboard-agent-listen-port=$((first + 2)) --dashboard-agent-grpc-port=$((first + 3)) \
      --metrics-export-port=$((first + 4)) --runtime-env-agent-port=$((first + 5)) "$@" \
      >"$dir/$name.log" 2>&1 </dev/null &
    echo $! >"$dir/$name.pid"
    while kill -0 $! 2>/dev/null; do
      if grep -q "Ray runtime started" "$dir/$name.log"; then return; fi
      sleep 0.5
    done
    if ! grep -q "timed out during startup" "$dir/$name.log"; then break; fi
  done
  say "the node '$name' did not start; what it said last (all of it is in $dir/$name.log):"
  tail -n 5 "$dir/$name.log" >&2
  stop
  exit 1
}

start() {
  command -v ray >/dev/null || { say "there is no ray here; activate the environment: source .venv/bin/activate"; exit 1; }
  if pid_of head >/dev/null; then say "it runs already, from port $port on; end it with: $0 stop"; exit 1; fi
  port=${FTRL_CLUSTER_PORT:-6400}
  local taken
  for taken in $(seq "$port" $((port + 25))); do
    if (: <"/dev/tcp/127.0.0.1/$taken") 2>/dev/null; then
      say "port $taken is taken; take others: FTRL_CLUSTER_PORT=$((port + 1000)) $0 start"
      exit 1
    fi
  done
  mkdir -p "$dir"
  chmod 700 "$dir"
  echo "$port" >"$dir/port"
  (umask 077 && python3 -c 'import secrets; print(secrets.token_hex(32), end="")' >"$dir/token")
  eval "$(settings)"
  unset RAY_ADDRESS
  # A job that is stopped gets a minute to commit what it has; Ray's own three seconds are too few. And what could not be
  # unpacked for a job is tried again after ten seconds, not ten minutes.
  export RAY_TMPDIR=$dir RAY_JOB_STOP_WAIT_TIME_S=60 BAD_RUNTIME_ENV_CACHE_TTL_SECONDS=10
  start_node head 0 --head --port="$port" --dashboard-host=127.0.0.1 --dashboard-port=$((port + 1)) \
    --ray-client-server-port=$((port + 6)) --num-cpus=0
  # Folders of their own: in one for all, a node that unpacks a job's files takes them from under those that run there.
  # But one folder for logs: of several nodes on a machine Ray asks the head's for what a job has said.
  local name session
  session=$(readlink -f "$dir/ray/session_latest")
  for name in drivers tools; do
    mkdir -p "$dir/$name/${session##*/}"
    ln -sfn "$session/logs" "$dir/$name/${session##*/}/logs"
  done
  start_node drivers 1 --address="127.0.0.1:$port" --num-cpus="$cpus" --resources='{"driver": 1}' \
    --temp-dir="$dir/drivers"
  start_node tools 2 --address="127.0.0.1:$port" --num-cpus="$cpus" --resources="{\"tools\": $cpus}" \
    --temp-dir="$dir/tools"
  say "three nodes run; dashboard: http://127.0.0.1:$((port + 1))  (its token is in $dir/token)"
  say "next: eval \"\$($0 env)\""
}

stop() {
  local name pid any=
  for name in tools drivers head; do # the head last: the others take their leave of it
    if pid=$(pid_of "$name"); then
      any=1
      kill "$pid" 2>/dev/null || true
      for _ in $(seq 60); do
        if ! kill -0 "$pid" 2>/dev/null; then break; fi
        sleep 0.5
      done
      if kill -0 "$pid" 2>/dev/null; then kill -9 "$pid" || true; fi
      say "the node '$name' is ended"
    fi
    rm -f "$dir/$name.pid"
  done
  if [ -z "$any" ]; then say "nothing runs here"; fi
}

status() {
  local name pid all=0
  for name in "${nodes[@]}"; do
    if pid=$(pid_of "$name"); then echo "$name  runs (process $pid)"; else echo "$name  does not run"; all=1; fi
  done
  return $all
}

case ${1:-} in
  start | stop | status) "$1" ;;
  env) settings ;;
  *) sed -n '2,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2; exit 2 ;;
esac
