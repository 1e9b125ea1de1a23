# An echo server over the codec of this server, for WebSocket test suites: docs/autobahn.md. ENGINE is epoll or kestrel.

PORT ?= 9001
ENGINE ?= epoll

.PHONY: echo

echo: ## Echo WebSocket messages on PORT (9001), for test suites
	dotnet run --project tests/Echo -c Release -- --port=$(PORT) --engine=$(ENGINE)
