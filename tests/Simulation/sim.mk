# The simulation's targets; the Makefile includes this file. docs/simulation.md says what they do.
.PHONY: simulate simulate-long mutate

SIMULATION := dotnet run --project tests/Simulation -c Release -v quiet -- simulate

simulate: ## Replay one world of the simulation: SEED=7 [STEPS=..] [CLIENTS=..]; with COUNT=1000 that many from there on
	@$(SIMULATION) --seed=$(or $(SEED),1) --count=$(or $(COUNT),1) --steps=$(STEPS) --clients=$(CLIENTS)

simulate-long: ## Simulate a few worlds with thousands of clients: [SEED=1] [COUNT=10]
	@$(SIMULATION) --seed=$(or $(SEED),1) --count=$(or $(COUNT),10) --steps=$(or $(STEPS),1500000) --clients=$(or $(CLIENTS),10000)

mutate: ## Break the core on purpose and show that the simulation finds it
	@tests/Simulation/mutate.sh
