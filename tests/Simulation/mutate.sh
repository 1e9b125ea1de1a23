#!/usr/bin/env bash
# Breaks a copy of the core on purpose, once for each patch in mutations/, and lets the simulation find it. Some patches (alike) break the oracle in the same
# way, or the driver: those only the judge at the clients' end can find. Prints one line for each:
# the mutation, the seed that found it (they count from 1), and how it showed. Fails when a patch no longer applies, or finds nothing.
#   tests/Simulation/mutate.sh [PATTERN]      only the patches whose names contain the pattern
set -uo pipefail
cd "$(dirname "$0")/../.."
seeds=${SEEDS:-3000}
pattern=${1:-}
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy/src/ChannelServer" "$copy/tests"
cp -r src/ChannelServer/Relay src/ChannelServer/WebSockets "$copy/src/ChannelServer/"
cp -r tests/Simulation "$copy/tests/"
rm -rf "$copy"/tests/Simulation/{bin,obj,Program.cs,*Tests.cs}

# One small program of core and simulation, without the test runner and the analyzers: it builds in seconds.
cat >"$copy/Mutant.csproj" <<'PROJECT'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net10.0</TargetFramework>
    <Nullable>enable</Nullable>
    <ImplicitUsings>enable</ImplicitUsings>
    <InvariantGlobalization>true</InvariantGlobalization>
    <AllowUnsafeBlocks>true</AllowUnsafeBlocks>
    <RunAnalyzers>false</RunAnalyzers>
  </PropertyGroup>
</Project>
PROJECT
echo 'return ChannelServer.Simulation.Command.Run(args);' >"$copy/Main.cs"

build() {
  dotnet build "$copy" -c Release --nologo -v quiet -clp:ErrorsOnly >"$copy/build.log" 2>&1
}

if ! build; then
  cat "$copy/build.log"
  echo "The unbroken core does not build."
  exit 1
fi

failed=0
printf '| mutation | found by seed | how it showed |\n|---|---|---|\n'
for patch in tests/Simulation/mutations/*"$pattern"*.patch; do
  title=$(head -1 "$patch")
  if ! (cd "$copy" && git apply --recount "$OLDPWD/$patch") 2>"$copy/apply.log"; then
    printf '| %s | - | the patch no longer applies: %s |\n' "$title" "$(head -1 "$copy/apply.log")"
    failed=1
    continue
  fi
  if ! build; then
    printf '| %s | - | it does not build: %s |\n' "$title" "$(grep -m1 -o 'error .*' "$copy/build.log")"
    failed=1
  else
    output=$(timeout 600 dotnet "$copy/bin/Release/net10.0/Mutant.dll" --seed=1 --count="$seeds")
    found=$(sed -nE 's/^found by seed ([0-9]+),.*/\1/p' <<<"$output")
    if [ -n "$found" ]; then
      how=$(sed -nE '1s/^seed [0-9]+: //p' <<<"$output" | cut -c1-140)
      printf '| %s | %s | %s |\n' "$title" "$found" "${how//|/\\|}"
    else
      printf '| %s | NOT FOUND in %s seeds | |\n' "$title" "$seeds"
      failed=1
    fi
  fi
  (cd "$copy" && git apply --recount -R "$OLDPWD/$patch")
done
exit "$failed"
