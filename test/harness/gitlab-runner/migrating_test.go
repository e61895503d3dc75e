package main

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"gitlab.com/gitlab-org/gitlab-runner/common"
)

// The page for those who come from the docker executor has each of its keys.
func TestMigratingPageHasEveryKey(t *testing.T) {
	page, err := os.ReadFile("../../../docs/migrating-from-docker.md")
	if err != nil {
		t.Fatal(err)
	}
	first := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if len(cells) < 2 || cells[0] != "" {
			continue
		}
		for i, word := range strings.Split(cells[1], "`") {
			if i%2 == 1 {
				first[word] = true
			}
		}
	}
	for _, key := range keys(reflect.TypeFor[common.DockerConfig]()) {
		if !first[key] {
			t.Errorf("[runners.docker] %s is not in the page", key)
		}
	}
}

// keys returns the TOML keys of a struct, those of embedded ones included.
func keys(config reflect.Type) []string {
	var list []string
	for i := range config.NumField() {
		field := config.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("toml"), ",")
		switch {
		case field.Anonymous:
			list = append(list, keys(field.Type)...)
		case name != "" && name != "-":
			list = append(list, name)
		}
	}
	return list
}
