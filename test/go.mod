module podman-executor/test

go 1.26.5

require (
	github.com/goccy/go-yaml v1.19.2
	github.com/google/go-cmp v0.7.0
	github.com/rogpeppe/go-internal v1.16.0
	podman-executor v0.0.0
)

require golang.org/x/sys v0.47.0 // indirect

replace podman-executor => ../
