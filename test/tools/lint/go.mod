module podman-executor/test/tools/lint

go 1.26.0

require (
	codeberg.org/polyfloyd/go-errorlint v1.9.0
	github.com/OpenPeeDeeP/depguard/v2 v2.2.1
	github.com/ashanbrown/forbidigo/v2 v2.3.0
	github.com/gobwas/glob v0.2.3
	github.com/goccy/go-yaml v1.19.2
	golang.org/x/tools v0.51.0
)

require (
	github.com/golangci/misspell v0.8.0 // indirect
	github.com/google/go-cmp v0.6.0 // indirect
	golang.org/x/mod v0.41.0 // indirect
	golang.org/x/sync v0.23.0 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)

tool github.com/golangci/misspell/cmd/misspell
