package podman_test

import (
	"fmt"
	"strings"
	"time"

	"podman-executor/pkg/podman"
)

// A container that is started for each script, with one directory of the host.
func ExampleCreate_Args() {
	c := podman.Create{
		Name:       "build-42",
		Image:      "cc694233e203f24125b03989ca7cf84a6eac9fb05103e260e46bb039e0446d66",
		Labels:     map[string]string{"org.example.job": "42"},
		Timeout:    time.Hour,
		Volumes:    []string{"/srv/builds/42:/builds:z"},
		Limits:     podman.Limits{Memory: "512m", PIDs: "1000"},
		Isolation:  podman.Isolation{CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"}},
		Entrypoint: "sh",
		Command:    []string{"-s"},
	}
	for _, word := range c.Args() {
		if strings.HasPrefix(word, "-") {
			fmt.Println()
		} else {
			fmt.Print(" ")
		}
		fmt.Print(word)
	}
	// Output:
	// create
	// --name build-42
	// --pull=never
	// --interactive
	// --log-driver none
	// --no-healthcheck
	// --http-proxy=false
	// --label org.example.job=42
	// --timeout 3600
	// --volume /srv/builds/42:/builds:z
	// --memory 512m
	// --pids-limit 1000
	// --cap-drop ALL
	// --security-opt no-new-privileges
	// --entrypoint sh
	// -- cc694233e203f24125b03989ca7cf84a6eac9fb05103e260e46bb039e0446d66
	// -s
}

// A service has a log that podman keeps, and no standard input.
func ExampleCreate_Args_service() {
	c := podman.Create{Mode: podman.Service, Name: "db", Network: "net-42", Aliases: []string{"postgres"}, Image: "docker.io/library/postgres:17", PullPolicy: "missing"}
	fmt.Println(strings.Join(c.Args(), " "))
	// Output: create --name db --pull=missing --log-driver k8s-file --log-opt max-size=50m --no-healthcheck --http-proxy=false --network net-42 --network-alias postgres -- docker.io/library/postgres:17
}
