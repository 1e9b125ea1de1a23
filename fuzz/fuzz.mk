# Coverage-guided fuzzing: docs/fuzzing.md. FUZZ_SECONDS is the time for each target, FUZZ_TARGETS chooses among frames, heads, facts, shard.

FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?=

.PHONY: fuzz fuzz-grow

fuzz: ## Fuzz each target for FUZZ_SECONDS
	FUZZ_SECONDS=$(FUZZ_SECONDS) fuzz/run.sh $(FUZZ_TARGETS)

fuzz-grow:
	FUZZ_SECONDS=$(FUZZ_SECONDS) fuzz/run.sh --grow $(FUZZ_TARGETS)
