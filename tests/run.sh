#!/usr/bin/env bash
# Builds once, runs every test project, the real client and the JavaScript client (in a browser too), and adds up. Ends with what failed,
# once more, and the line
#   N passed, N failed, N skipped
# and with a status other than 0 if anything failed, or if nothing ran.
set -uo pipefail
cd "$(dirname "$0")/.."

export DOTNET_CLI_TELEMETRY_OPTOUT=1 TESTINGPLATFORM_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 NO_COLOR=1
passed=0 failed=0 skipped=0
failures=$(mktemp)
trap 'rm -f "$failures"' EXIT

# What speaks to a server process does so once for each engine that this system has.
engines=${CHANNEL_SERVER_ENGINE:-kestrel}
if [ -z "${CHANNEL_SERVER_ENGINE:-}" ] && [ "$(uname -s)" = Linux ]; then
  engines="epoll kestrel"
fi

say() { printf '\n== %s\n' "$*"; }

add() { # add PASSED FAILED SKIPPED
  passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

# Keeps the lines of a log that tell of a failure, and what follows them: a log is long, and its reader may have its end alone.
note_failures() { # note_failures NAME LOG
  local found
  found=$(grep -E -A 12 '\[FAIL\]|^not ok' "$2" | cut -c 1-400 | head -60)
  [ -z "$found" ] || printf '\n-- %s\n%s\n' "$1" "$found" >>"$failures"
}

finish() {
  if [ -s "$failures" ]; then
    say "What failed"
    cat "$failures"
    say "Their names"
    grep -E '^-- |\[FAIL\]|^not ok|ended with status' "$failures"
  fi
  printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
  exit
}

# Installs Debian packages where that is possible. Says so where it is not.
install() { # install PACKAGE...
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    return 1
  fi
  echo "Installing $*"
  local patient=(-o Acquire::Retries=3 -o DPkg::Lock::Timeout=120)
  { apt-get "${patient[@]}" update && DEBIAN_FRONTEND=noninteractive apt-get "${patient[@]}" install -y --no-install-recommends "$@"; } >/dev/null
}

# Tries a command three times: what it fetches from may not answer once.
persist() { # persist COMMAND...
  local pause
  for pause in 5 15; do
    "$@" && return
    echo "Failed: $1 $2. Another try follows in $pause seconds."
    sleep "$pause"
  done
  "$@"
}

# A number of the last line of a test executable: "Total: 9, Errors: 0, Failed: 1, Skipped: 2, ...".
count() { # count WORD FILE
  sed -nE "s/.*Total: .*$1: ([0-9]+),.*/\1/p; s/.*$1: ([0-9]+), Errors: .*/\1/p" "$2" | tail -1
}

run_project() { # run_project FOLDER [REMARK]
  local name dll log
  name=$(sed -nE 's:.*<AssemblyName>(.*)</AssemblyName>.*:\1:p' "$1"/*.csproj)
  dll=$1/bin/Release/net10.0/$name.dll
  log=$(mktemp)
  say "$name${2:+, $2}"
  dotnet "$dll" -noColor -noLogo 2>&1 | tee "$log"
  tally "$name${2:+, $2}" "$log" "${PIPESTATUS[0]}"
}

# For tests that mostly wait: all engines at once.
run_engines_together() { # run_engines_together FOLDER
  local name dll engine status pids=() logs
  name=$(sed -nE 's:.*<AssemblyName>(.*)</AssemblyName>.*:\1:p' "$1"/*.csproj)
  dll=$1/bin/Release/net10.0/$name.dll
  logs=$(mktemp -d)
  say "$name, engines $engines"
  for engine in $engines; do
    CHANNEL_SERVER_ENGINE=$engine dotnet "$dll" -noColor -noLogo >"$logs/$engine" 2>&1 &
    pids+=($!)
  done
  for engine in $engines; do
    wait "${pids[0]}"
    status=$?
    pids=("${pids[@]:1}")
    say "$name, engine $engine"
    cat "$logs/$engine"
    tally "$name, engine $engine" "$logs/$engine" "$status"
  done
  rm -r "$logs"
}

tally() { # tally NAME LOG STATUS: adds the counts of a test executable's run
  local total errors bad not name=$1 log=$2 status=$3
  total=$(count Total "$log") errors=$(count Errors "$log") bad=$(count Failed "$log") not=$(count Skipped "$log")
  note_failures "$name" "$log"
  rm -f "$log"
  bad=$((${bad:-0} + ${errors:-0})) not=${not:-0}
  # A crash, or a fixture that failed, shows in the status alone.
  if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
    echo "$name ended with status $status" | tee -a "$failures"
    bad=1
  fi
  local ok=$((${total:-0} - bad - not))
  add "$((ok > 0 ? ok : 0))" "$bad" "$not"
}

# What runs in Node.js: installs it, and what the folder's lock file names. Fetched once, and again when that file changes.
node_ready() { # node_ready FOLDER
  local missing=()
  command -v node >/dev/null || missing+=(nodejs)
  command -v npm >/dev/null || missing+=(npm)
  if [ ${#missing[@]} -gt 0 ] && ! install "${missing[@]}"; then
    echo "Skipped: ${missing[*]} missing, and could not be installed."
    add 0 0 1
    return 1
  fi
  if ! (cd "$1" && { [ node_modules/.package-lock.json -nt package-lock.json ] || persist npm ci --silent --no-audit --no-fund; }); then
    echo "Skipped: npm could not fetch what $1/package.json names."
    add 0 0 1
    return 1
  fi
}

run_schemas() {
  local log status
  say "Schemas (docs/schema and docs/asyncapi.yaml), in Node.js"
  node_ready tests/Schema || return
  log=$(mktemp)
  node --test --test-reporter=tap tests/Schema/schema.test.js >"$log" 2>&1
  status=$?
  grep -A 20 '^not ok' "$log"
  note_failures "schemas" "$log"
  add_lines "$status" "$(sed -nE 's/^# pass ([0-9]+)$/\1/p' "$log")" "$(sed -nE 's/^# fail ([0-9]+)$/\1/p' "$log")"
  rm -f "$log"
}

run_in_node() { # run_in_node TITLE FOLDER SCRIPT...
  local engine script title=$1 folder=$2
  shift 2
  say "$title, in Node.js"
  node_ready "$folder" || return
  for script in "$@"; do
    for engine in $engines; do
      run_script "$folder/$script" "$engine"
    done
  done
}

run_script() { # run_script SCRIPT ENGINE: a script that ends with the line "N passed, N failed[, N skipped]"
  local log status
  log=$(mktemp)
  echo "engine $2, ${1##*/}:"
  CHANNEL_SERVER_ENGINE=$2 node "$1" 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  note_failures "${1##*/}, engine $2" "$log"
  add_lines "$status" "$(sed -nE 's/^([0-9]+) passed, .*/\1/p' "$log")" "$(sed -nE 's/.* passed, ([0-9]+) failed.*/\1/p' "$log")" \
    "$(sed -nE 's/.* failed, ([0-9]+) skipped$/\1/p' "$log")"
  rm -f "$log"
}

add_lines() { # add_lines STATUS PASSED FAILED [SKIPPED]: what a script printed; one that printed nothing has failed
  local bad=${3:-0}
  [ "$1" -ne 0 ] && [ "$bad" -eq 0 ] && bad=1
  add "${2:-0}" "$bad" "${4:-0}"
}

say "Build"
if ! command -v dotnet >/dev/null; then
  echo "The .NET 10 SDK is missing: there is no 'dotnet' in the path."
  exit 1
fi
# Fetching by itself: a build that fails is not tried again.
if ! { persist dotnet restore ChannelServer.slnx -p:Configuration=Release -v quiet &&
  dotnet build ChannelServer.slnx -c Release --no-restore --nologo -v quiet; }; then
  echo "The build failed."
  add 0 1 0
  finish
fi

# For packets that get lost and clocks that jump; without them those tests are skipped.
if [ "$(uname -s)" = Linux ] && ! { command -v nft && command -v tc && [ -e /usr/bin/faketime ]; } >/dev/null; then
  install nftables iproute2 faketime || echo "Missing, and could not be installed: nftables, iproute2 or faketime. Some tests will be skipped."
fi

for project in $(grep -l xunit.v3 tests/*/*.csproj); do
  folder=$(dirname "$project")
  if [ "$folder" = tests/Conformance ] || [ "$folder" = tests/Clients ]; then
    for engine in $engines; do
      CHANNEL_SERVER_ENGINE=$engine run_project "$folder" "engine $engine"
    done
  elif [ "$folder" = tests/Reliability ]; then
    run_engines_together "$folder"
  else
    run_project "$folder"
  fi
done
run_schemas
run_in_node "Real client (fxa-pairing-channel)" tests/RealClient pairing.test.js resume.test.js
# For the JavaScript client in a browser; without one those tests are skipped.
if [ -z "${CHROMIUM:-}" ] && ! { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null; then
  install chromium || echo "Missing, and could not be installed: chromium. The tests in a browser will be skipped."
fi
run_in_node "JavaScript client" tests/Clients/js run.js
finish
