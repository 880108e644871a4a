#!/bin/sh
# In a guest of scripts/vm: what the doctor foretells, and then a trace while things happen. Leaves in /out doctor.json,
# trace.ndjson, truth, and of both programs .stderr and .status.
cd /out || exit 1
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

tracer doctor --json >doctor.json 2>doctor.stderr
echo $? >doctor.status

tracer --auto --show all --no-redact -f json-stream -o trace.ndjson >/dev/null 2>trace.stderr &
tracer=$!
captures_or_ended() { has_line trace.ndjson || ended "$tracer"; }
within 60 captures_or_ended
if has_line trace.ndjson; then
  workload keep-alive --truth truth >/dev/null 2>workload.stderr
  echo nothing >/tmp/opened.pem
  tail -f /tmp/opened.pem >/dev/null &  # some kernels do not say what a descriptor was opened for: it is looked up
  reader=$!
  sleep 2
  kill "$reader"
  kill -INT "$tracer"
fi
within 60 ended "$tracer" || kill -KILL "$tracer"
wait "$tracer"
echo $? >trace.status
