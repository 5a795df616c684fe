# make help lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

GO       ?= go
TOOL     := $(GO) tool -modfile=$(CURDIR)/tools/go.mod
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
FUZZTIME ?= 30s

.PHONY: help build test soak lint fuzz proto demo bench clean deps

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## bin/tangled
	$(GO) build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/tangled ./cmd/tangled

# The race detector needs a C compiler, the script tests real MQTT clients.
deps: ## install what the tests need (Debian)
	@missing=""; \
	command -v gcc >/dev/null || missing="$$missing gcc libc6-dev"; \
	command -v mosquitto_pub >/dev/null || missing="$$missing mosquitto-clients"; \
	if [ -n "$$missing" ]; then \
		sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
		$$sudo apt-get update -q && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -q -y --no-install-recommends $$missing; \
	fi

test: deps ## all tests with the race detector, within 15 minutes
	$(GO) mod download
	CGO_ENABLED=1 $(GO) test -race -timeout 14m ./...

soak: deps ## the long runs
	CGO_ENABLED=1 $(GO) test -race -tags soak -run Soak -timeout 60m ./...

lint: ## gofmt, vet, staticcheck, buf, generated code up to date
	@unformatted="$$(gofmt -l $$(git ls-files '*.go'))"; \
	if [ -n "$$unformatted" ]; then echo "not gofmt'd:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	cd api/proto && $(TOOL) buf lint
	@fresh="$$(mktemp -d)"; trap 'rm -rf "$$fresh"' EXIT; \
	cd api/proto && $(TOOL) buf generate -o "$$fresh" && \
	for f in $$(cd "$$fresh" && find . -name '*.go'); do \
		cmp "$$fresh/$$f" "$$f" || { echo "generated code is old: make proto"; exit 1; }; \
	done
	$(GO) mod tidy -diff
	cd tools && $(GO) mod tidy -diff

fuzz: ## every fuzz target for FUZZTIME
	@for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

proto: ## generate code from api/proto
	cd api/proto && $(TOOL) buf generate

demo: build ## a small city on this machine, until Ctrl-C
	bin/tangled demo

bench: ## all benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

clean: ## remove what build made
	rm -rf bin
