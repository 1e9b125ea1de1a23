#!/usr/bin/env bash
# Fuzzes every target (or those named) with AFL++ over an instrumented build of the server, each for FUZZ_SECONDS. What crashes is kept
# among the regressions, which `make test` replays. With --grow, inputs that reach new edges go into the corpus.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-60}
grow=
if [ "${1:-}" = --grow ]; then
  grow=yes
  shift
fi
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(frames heads facts shard)

if ! command -v afl-fuzz >/dev/null; then
  if [ "$(id -u)" -ne 0 ] || ! { apt-get update && apt-get install -y --no-install-recommends afl++; } >/dev/null; then
    echo "AFL++ is missing: apt-get install afl++"
    exit 1
  fi
fi

build=artifacts/fuzz/program
dotnet tool restore >/dev/null
rm -rf "$build"
dotnet publish fuzz/Fuzz.csproj -c Release -v quiet --nologo -o "$build"
# Only what the targets run: telemetry and transport would add noise, and edges that no input reaches.
dotnet sharpfuzz "$build/channelserver.dll" ChannelServer.WebSockets ChannelServer.Relay ChannelServer.Http ChannelServer.Transport.ChannelRoute

# The program is a managed one, and this machine need not be tuned for fuzzing.
export AFL_SKIP_BIN_CHECK=1 AFL_SKIP_CPUFREQ=1 AFL_NO_UI=1 AFL_NO_AFFINITY=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_CRASHING_SEEDS_AS_NEW_CRASH=1
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_gcServer=0

status=0
for target in "${targets[@]}"; do
  found=artifacts/fuzz/$target
  run=("$(command -v dotnet)" "$build/ChannelServer.Fuzz.dll" "$target")
  rm -rf "$found"
  mkdir -p "$found"
  echo "== $target, $seconds s"
  afl-fuzz -V "$seconds" -t 5000 -m none -i "fuzz/corpus/$target" -o "$found" -- "${run[@]}" >"$found/log" || { tail -20 "$found/log"; exit 1; }
  sed -nE 's/^(execs_done|execs_per_sec|edges_found|corpus_count|saved_crashes|saved_hangs) *: */  \1 /p' "$found/default/fuzzer_stats"
  for input in "$found"/default/crashes/id* "$found"/default/hangs/id*; do
    [ -e "$input" ] || continue
    mkdir -p "fuzz/regressions/$target"
    cp "$input" "fuzz/regressions/$target/$(sha1sum "$input" | cut -c1-12)"
    echo "  kept in fuzz/regressions/$target: $input"
    status=1
  done
  if [ -n "$grow" ]; then
    afl-cmin -t 5000 -m none -i "$found/default/queue" -o "$found/small" -- "${run[@]}" >>"$found/log"
    rm -rf "fuzz/corpus/$target"
    mkdir -p "fuzz/corpus/$target"
    for input in "$found"/small/*; do
      cp "$input" "fuzz/corpus/$target/$(sha1sum "$input" | cut -c1-12)"
    done
    echo "  the corpus has $(ls "fuzz/corpus/$target" | wc -l) inputs"
  fi
done
exit $status
