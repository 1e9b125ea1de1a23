# Benchmarks: `make bench` measures everything and rewrites docs/benchmarks.md; `make bench-quick` is a glance while developing.
# The server has core 0 to itself, the generator core 1.

BENCH := artifacts/bench
BENCH_RUN := taskset -c 1 dotnet $(BENCH)/load/ChannelServer.Bench.dll

.PHONY: bench bench-quick bench-build bench-micro

bench: bench-build
	$(BENCH_RUN) --rounds 5 --report docs

bench-quick: bench-build
	$(BENCH_RUN) --rounds 1 --quick

bench-micro:
	dotnet run -c Release --project bench/Micro -- --filter '*'

bench-build: $(BENCH)/floor $(BENCH)/gorilla bench/peers/ws/node_modules
	dotnet publish src/ChannelServer -c Release -v q --nologo -o $(BENCH)/server
	dotnet publish bench/peers/KestrelWebSockets -c Release -v q --nologo -o $(BENCH)/kestrel-websockets
	dotnet publish bench/Load -c Release -v q --nologo -o $(BENCH)/load

$(BENCH)/floor: bench/floor/floor.c bench/floor/encodings.h
	mkdir -p $(BENCH)
	gcc -O2 -Wall -Wextra -std=gnu17 -o $@ $<

# Debian's golang-go and golang-github-gorilla-websocket-dev: sources stand in /usr/share/gocode, nothing is fetched.
$(BENCH)/gorilla: bench/peers/gorilla/main.go
	mkdir -p $(BENCH)
	GO111MODULE=off GOPATH=/usr/share/gocode go build -o $@ $<

bench/peers/ws/node_modules: bench/peers/ws/package.json bench/peers/ws/package-lock.json
	cd bench/peers/ws && npm ci --no-audit --no-fund --silent && touch node_modules
