# Measuring. Needs Linux with two cores, and beyond the server's own needs gcc, Go, Node.js and gorilla/websocket as Debian has them.
# The server has core 0 to itself, the generator core 1.

BENCH := artifacts/bench
BENCH_RUN := taskset -c 1 dotnet $(BENCH)/load/ChannelServer.Bench.dll

.PHONY: bench bench-quick bench-micro bench-build bench-needs

bench: bench-build ## Measure everything (most of an hour) and rewrite docs/benchmarks.md
	$(BENCH_RUN) --rounds 5 --report docs

bench-quick: bench-build ## A glance at the same, in minutes; no figures to quote
	$(BENCH_RUN) --rounds 1 --quick

bench-micro: ## Micro-benchmarks of the codec, the envelope and the upgrade
	dotnet run -c Release --project bench/Micro -- --filter '*'

bench-needs:
	@for tool in gcc go node npm taskset setpriv; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	[ -d /usr/share/gocode/src/github.com/gorilla/websocket ] || missing="$$missing gorilla/websocket"; \
	[ -z "$$missing" ] || { echo "missing:$$missing"; \
	echo "apt-get install gcc libc6-dev golang-go golang-github-gorilla-websocket-dev nodejs npm util-linux"; exit 1; }

bench-build: bench-needs $(BENCH)/floor $(BENCH)/gorilla bench/peers/ws/node_modules
	$(PUBLISH) -o $(BENCH)/server
	dotnet publish bench/peers/KestrelWebSockets -c Release -v q --nologo -o $(BENCH)/kestrel-websockets
	dotnet publish bench/Load -c Release -v q --nologo -o $(BENCH)/load

$(BENCH)/floor: bench/floor/floor.c bench/floor/encodings.h bench/floor/upgrade.h
	mkdir -p $(BENCH)
	gcc -O2 -Wall -Wextra -std=gnu17 -o $@ $<

# From the sources that Debian's packages put in place; nothing is fetched.
$(BENCH)/gorilla: bench/peers/gorilla/main.go
	mkdir -p $(BENCH)
	GO111MODULE=off GOPATH=/usr/share/gocode go build -o $@ $<

bench/peers/ws/node_modules: bench/peers/ws/package.json bench/peers/ws/package-lock.json
	cd bench/peers/ws && npm ci --fetch-retries=5 --no-audit --no-fund --silent && touch node_modules
