.PHONY: pack

pack: ## Build the packages of the client libraries, into artifacts/packages
	@mkdir -p artifacts/packages
	dotnet pack clients/dotnet -c Release --nologo -v quiet -o artifacts/packages
	cd clients/js && npm pack --silent --pack-destination ../../artifacts/packages
