#!/bin/sh
# One trace in a guest of scripts/vm, for conformance: guest.sh FOLDER "SCENARIO…" TRACER_OPTION…
# Leaves in FOLDER tracer.ndjson, .stderr and (if it ended) .status; of each scenario NAME.truth, .stderr and .status.
# SCENARIO_SECONDS, TRACER_SECONDS: how long one of them may take. NAMESPACE: --netns, or nothing to make it right here.
folder=$1 scenarios=$2
shift 2
mkdir -p "$folder" && cd "$folder" || exit 1
held=preopened    # starts before the tracer
held_pid=

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

start() {  # NAME OPTION…
  name=$1
  shift
  workload "$name" ${NAMESPACE:+"$NAMESPACE"} --truth "$name.truth" "$@" >/dev/null 2>"$name.stderr" &
  started=$!
}
finish() {  # NAME PID
  if ! within "$SCENARIO_SECONDS" ended "$2"; then
    kill -KILL "$2"
    echo "it was not made within $SCENARIO_SECONDS s" >"$1.stderr"
  fi
  wait "$2"
  echo $? >"$1.status"
}

case " $scenarios " in *" $held "*)
  start "$held" --hold-ready ready --hold-go go
  held_pid=$started
  within "$SCENARIO_SECONDS" test -e ready ;;
esac

tracer "$@" -f json-stream -o tracer.ndjson >/dev/null 2>tracer.stderr &
tracer=$!
captures_or_ended() { has_line tracer.ndjson || ended "$tracer"; }
within "$TRACER_SECONDS" captures_or_ended
if has_line tracer.ndjson; then
  # The held one first: its processes do not live for ever.
  [ -z "$held_pid" ] || { touch go; finish "$held" "$held_pid"; }
  for scenario in $scenarios; do
    [ "$scenario" = "$held" ] && continue
    start "$scenario"
    finish "$scenario" "$started"
  done
  sleep 2   # a record is flushed at most 200 ms after it is complete
  kill -INT "$tracer"
fi
if within "$TRACER_SECONDS" ended "$tracer"; then
  wait "$tracer"
  echo $? >tracer.status
else
  for task in "/proc/$tracer"/task/*; do cat "$task/comm" "$task/stack"; done >tracer.stuck 2>&1
  kill -KILL "$tracer"
fi
[ -z "$held_pid" ] || kill -KILL "$held_pid" 2>/dev/null
