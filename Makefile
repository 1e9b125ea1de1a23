.PHONY: help run test fmt publish
.DEFAULT_GOAL := help

# Compiled ahead for this kind of machine (ReadyToRun), so that the first clients are served at full speed.
PUBLISH := dotnet publish src/ChannelServer -c Release --use-current-runtime --no-self-contained -p:PublishReadyToRun=true --nologo -v quiet

help: ## List what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Start the server on port 8000, with logs to read
	dotnet run --project src/ChannelServer -c Release -- --port=8000 --human_logs=true

test: ## Build, and run every test; install what is missing, where that is allowed
	@tests/run.sh

fmt: ## Put every source file into form
	dotnet format

publish: ## Build what is deployed, into artifacts/
	$(PUBLISH) -o artifacts/publish

# Long runs bring their own targets.
-include bench/*.mk clients/*.mk tests/*/*.mk fuzz/*.mk
