# make help lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

GO       ?= go
TOOL     := $(GO) tool -modfile=$(CURDIR)/tools/go.mod
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null)
FUZZTIME ?= 30s
PACKAGE  ?= ./...
COUNT    ?= 1

.PHONY: help build test sim soak lint fuzz proto demo bench clean deps

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## bin/tangled
	$(GO) build -trimpath -ldflags '$(if $(VERSION),-X main.linkedVersion=$(VERSION))' -o bin/tangled ./cmd/tangled

# The race detector needs a C compiler, the script tests real MQTT clients.
deps: ## install what the tests need (Debian)
	@missing=""; \
	command -v gcc >/dev/null || missing="$$missing gcc libc6-dev"; \
	command -v mosquitto_pub >/dev/null || missing="$$missing mosquitto-clients"; \
	if [ -n "$$missing" ]; then \
		sudo=""; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
		for need in apt-get $${sudo:+sudo}; do \
			command -v $$need >/dev/null || { echo "missing, please install:$$missing" >&2; exit 1; }; \
		done; \
		$$sudo apt-get update -q; \
		$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing; \
	fi

test: deps ## all tests with the race detector, within 15 minutes
	$(GO) mod download
	CGO_ENABLED=1 $(GO) test -race -timeout 14m $$($(GO) list ./... | grep -v /internal/mutants)
	$(GO) test -timeout 5m ./pow/...
	$(GO) test -C tools ./powgen # the kernels that this machine cannot run too
	$(GO) test -timeout 10m -run '^TestSimulation$$' ./node
	$(GO) test -run '^Test(Apply|Required)$$' ./internal/mutants

sim: ## a thousand seeds of the simulation, and every mutant
	$(GO) test -count 1 -timeout 15m -v -run '^TestSimulation' ./node -args -sim.seeds=1000
	$(GO) test -timeout 20m -v -run '^Test(Mutants|Required)$$' ./internal/mutants

soak: deps ## the long runs
	CGO_ENABLED=1 $(GO) test -race -tags soak -run Soak -timeout 60m ./...

lint: ## gofmt, vet, staticcheck, buf, generated code up to date
	@unformatted="$$(gofmt -l .)"; \
	if [ -n "$$unformatted" ]; then echo "not gofmt'd:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet -tags soak ./...
	$(TOOL) staticcheck -tags soak ./...
	cd api/proto && $(TOOL) buf lint
	@fresh="$$(mktemp -d)"; trap 'rm -rf "$$fresh"' EXIT; \
	cd api/proto && $(TOOL) buf generate -o "$$fresh" && \
	for f in $$(cd "$$fresh" && find . -name '*.go'); do \
		cmp "$$fresh/$$f" "$$f" || { echo "generated code is old: make proto"; exit 1; }; \
	done
	$(GO) vet -C tools ./powgen
	cd tools && $(GO) tool staticcheck ./powgen
	$(GO) test -C tools -count=1 -run '^TestCommittedFiles$$' ./powgen
	$(GO) mod tidy -diff
	cd tools && $(GO) mod tidy -diff

fuzz: ## every fuzz target for FUZZTIME
	@for pkg in $$($(GO) list ./...); do \
		targets="$$($(GO) test -list '^Fuzz' $$pkg | sed -n '/^Fuzz/p')"; \
		for target in $$targets; do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

proto: ## generate code from api/proto
	cd api/proto && $(TOOL) buf generate

demo: build ## a small city on this machine, until Ctrl-C
	bin/tangled demo

bench: ## all benchmarks; PACKAGE=./pow COUNT=6 for some, or those of PACKAGE, COUNT times
	$(GO) test -run '^$$' -bench . -benchmem -count $(COUNT) $(PACKAGE)

clean: ## remove what build made
	rm -rf bin
