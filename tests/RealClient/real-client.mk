# Mozilla's client while its connections break. `make test` runs a sample; this is every point, some ten thousand pairings on each engine.

.PHONY: resume-torture

resume-torture: ## Whole pairings of Mozilla's client, cut at every point of the exchange, on both engines
	@dotnet build src/ChannelServer -c Release --nologo -v quiet
	@cd tests/RealClient && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --fetch-retries=5 --silent --no-audit --no-fund; }
	@status=0; for engine in $(or $(ENGINES),epoll kestrel); do \
	  echo "engine $$engine:"; RESUME=full CHANNEL_SERVER_ENGINE=$$engine node tests/RealClient/resume.test.js || status=1; \
	done; exit $$status
