#!/bin/sh
# What a machine of the kernel matrix is asked, in a guest of any kind, by busybox or another sh: run.sh JOB RESULTS
#
# JOB is a folder (made by tests/support/guest.py):
#   setup   shell lines that take something of this machine away; may be absent
#   masks   what goes around the doctor: names for `mask`; may be absent
#   runs    a trace a line: NAME|MASKS|NAMESPACE|LINGER_MS|SCENARIOS|TRACER OPTIONS
#           NAMESPACE: `own` for each scenario its own, `tracer` where the tracer is, empty: here
#           SCENARIOS: names of the workload, and `+file`: a file is opened
#   tracer, workload, mask: else they are in PATH
# Left in RESULTS: doctor.json, verify.json with .stderr and .status; setup.log and .status; of each run a folder with
# tracer.ndjson, .stderr and (if it ended) .status, and of each scenario NAME.truth, .stderr and .status.
# Says `ok NAME`, or `not ok NAME why` of what did not come to an end, and last GUEST-DONE. What is right, others judge.
job=$(cd "$1" && pwd) && mkdir -p "$2" && results=$(cd "$2" && pwd) || exit 2
: "${SCENARIO_SECONDS:=90}" "${TRACER_SECONDS:=90}"   # emulated machines are slow
PATH=$job:$PATH
export PATH
failed=0
umask 000         # some masks are another user
set -f            # the words of a run are words, not patterns

told() {  # NAME [WHY]
  [ -z "$2" ] || failed=1
  if [ -z "$2" ]; then echo "ok $1"; else echo "not ok $1 $2"; fi
}
within() {  # SECONDS COMMAND…: until the command succeeds
  tries=$(($1 * 20))
  shift
  until "$@"; do
    [ "$tries" -gt 0 ] || return 1
    tries=$((tries - 1))
    sleep 0.05
  done
}
ended() { ! kill -0 "$1" 2>/dev/null; }
has_line() { [ -e "$1" ] && [ "$(wc -l <"$1")" -gt 0 ]; }
size() { wc -c <tracer.ndjson; }

masked() {  # MASKS COMMAND…: becomes that command
  around=$1
  shift
  # shellcheck disable=SC2086  # masks are words
  if [ -z "$around" ]; then exec "$@"; else exec mask $around -- "$@"; fi
}

ask() {  # NAME TRACER_OPTION…: a report
  name=$1
  shift
  (masked "$masks" timeout -s KILL "$TRACER_SECONDS" tracer "$@") >"$results/$name.json" 2>"$results/$name.stderr"
  status=$?
  echo "$status" >"$results/$name.status"
  [ "$status" -lt 128 ] && told "$name" || told "$name" "it ended with $status"
}

make() {  # SECONDS SCENARIO OPTION…: leaves its status
  seconds=$1 name=$2
  shift 2
  enter='' own=''
  case $namespace in
    own) own=--netns ;;
    tracer) enter="nsenter -t $tracer -n" ;;
  esac
  # shellcheck disable=SC2086
  timeout -s KILL "$((seconds + 10))" $enter workload "$name" $own ${linger:+--linger-ms "$linger"} \
    --process-seconds "$SCENARIO_SECONDS" --truth "$name.truth" "$@" >/dev/null 2>"$name.stderr"
  status=$?
  [ "$status" -lt 128 ] || echo "it was not made within $seconds s" >>"$name.stderr"
  echo "$status" >"$name.status"
}
open_file() {  # for a while: some kernels do not say what a descriptor was opened for, it is looked up
  echo nothing >opened.pem
  tail -f opened.pem >/dev/null &
  reader=$!
  sleep 0.7
  kill "$reader"
  wait "$reader" 2>/dev/null
}
settle() {  # until nothing is written any more: a record is flushed at most 200 ms after it is complete
  before=-1
  for _ in 1 2 3 4 5 6 7 8; do
    now=$(size)
    [ "$now" = "$before" ] && break
    before=$now
    sleep 0.4
  done
}
traffic() {
  # The held one first: its processes do not live for ever.
  [ -z "$held_pid" ] || { : >go; wait "$held_pid"; held_pid=; }
  for scenario in $scenarios; do
    case $scenario in
      "$held") ;;
      +file) open_file ;;
      *) make "$SCENARIO_SECONDS" "$scenario" ;;
    esac
  done
  settle
}
stuck() { for task in "/proc/$1"/task/*; do cat "$task/comm" "$task/stack"; done >tracer.stuck 2>&1; }

run() {  # in its folder
  held_pid='' tracer='' why='' held=''
  for scenario in $scenarios; do
    case $scenario in preopened | https-preopened) held=$scenario ;; esac    # starts before the tracer
  done
  if [ -n "$held" ]; then
    make "$((SCENARIO_SECONDS + TRACER_SECONDS))" "$held" --hold-ready ready --hold-go go \
      --hold-seconds "$TRACER_SECONDS" &
    held_pid=$!
    within "$SCENARIO_SECONDS" test -e ready
  fi
  # shellcheck disable=SC2086
  (masked "$masks" tracer $options -f json-stream -o tracer.ndjson) >/dev/null 2>tracer.stderr &
  tracer=$!
  captures_or_ended() { has_line tracer.ndjson || ended "$tracer"; }
  within "$TRACER_SECONDS" captures_or_ended || why="it did not capture within $TRACER_SECONDS s"
  if has_line tracer.ndjson; then
    traffic
    kill -INT "$tracer"
  elif [ -n "$why" ]; then
    kill -INT "$tracer"
  fi
  if within "$TRACER_SECONDS" ended "$tracer"; then
    wait "$tracer"
    echo $? >tracer.status
  else
    why="it did not end within $TRACER_SECONDS s"
    stuck "$tracer"
    kill -KILL "$tracer"
    wait "$tracer"
  fi
  [ -z "$held_pid" ] || { : >go; wait "$held_pid"; }
  told "$run_name" "$why"
}

if [ -s "$job/setup" ]; then
  sh -e "$job/setup" >"$results/setup.log" 2>&1
  status=$?
  echo "$status" >"$results/setup.status"
  [ "$status" = 0 ] && told setup || told setup "it ended with $status: $(tail -n 1 "$results/setup.log")"
fi
masks=$(cat "$job/masks" 2>/dev/null)
cd "$results" || exit 2
ask doctor doctor --json
ask verify doctor --verify --json
while IFS='|' read -r run_name masks namespace linger scenarios options <&3; do
  [ "$linger" != 0 ] || linger=
  mkdir -p "$results/$run_name" && cd "$results/$run_name" || exit 2
  run 3<&-
done 3<"$job/runs"
echo "GUEST-DONE rc=$failed"
exit "$failed"
