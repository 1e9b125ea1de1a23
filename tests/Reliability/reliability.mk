# Reliability. `make test` runs the short versions; these are the long ones, for a machine with nothing else to do.
#   make torture             everything at full size, on both engines; prints a table of figures
#   make soak SOAK=2m        churn, an hour unless told otherwise

RELIABILITY := tests/Reliability/bin/Release/net10.0/ChannelServer.Reliability.dll
RELIABILITY_TOOLS := faketime haproxy iproute2 nftables nginx-light procps slowhttptest util-linux
# Absolute: the test runner works in the folder of its own files.
RELIABILITY_FIGURES := $(CURDIR)/artifacts/reliability.md
ENGINES ?= epoll kestrel

.PHONY: torture soak reliability-build reliability-tools

torture: reliability-build reliability-tools ## Every reliability test at full size, one after the other, with figures
	@mkdir -p $(dir $(RELIABILITY_FIGURES)) && printf '| engine | what | figures |\n|---|---|---|\n' > $(RELIABILITY_FIGURES)
	@status=0; for engine in $(ENGINES); do \
	  RELIABILITY=full SOAK=$(or $(SOAK),2m) RELIABILITY_FIGURES=$(RELIABILITY_FIGURES) CHANNEL_SERVER_ENGINE=$$engine \
	    dotnet $(RELIABILITY) -noColor -noLogo -parallelMode none -explicit on || status=1; \
	done; cat $(RELIABILITY_FIGURES); exit $$status

soak: reliability-build ## Churn of clients of all temperaments for an hour, or as SOAK=2m says
	@status=0; for engine in $(ENGINES); do \
	  RELIABILITY=full SOAK=$(or $(SOAK),1h) CHANNEL_SERVER_ENGINE=$$engine \
	    dotnet $(RELIABILITY) -noColor -noLogo -showLiveOutput -class '*.SoakTests' || status=1; \
	done; exit $$status

reliability-build:
	dotnet build tests/Reliability -c Release --nologo -v quiet

reliability-tools:
	@missing=$$(dpkg-query -W -f '$${Package} $${Status}\n' $(RELIABILITY_TOOLS) 2>&1 | sed -nE 's/.*no packages found matching (.*)/\1/p; s/^([^ ]+) .* (not-installed|config-files)$$/\1/p'); \
	if [ -n "$$missing" ]; then \
	  patient="-o Acquire::Retries=3 -o DPkg::Lock::Timeout=120"; echo "Installing $$missing" && apt-get $$patient update -qq \
	  && DEBIAN_FRONTEND=noninteractive apt-get $$patient install -y -qq --no-install-recommends $$missing >/dev/null \
	  || echo "Could not install $$missing: the tests that need it are skipped."; \
	fi
