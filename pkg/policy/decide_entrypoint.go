package policy

import (
	"slices"
	"strings"
)

// maxEntrypoint bounds an entry point or command of a job's, in bytes of all its
// words: it travels on a command line.
const maxEntrypoint = 32 << 10

func (p *Policy) decideEntrypoint(r Request, g *Grant) *Denial {
	pm := p.General.Podman
	if len(pm.UserEntryPoint) > 0 {
		g.UserEntry = EntryPoint{Words: pm.UserEntryPoint}
		return nil
	}
	g.UserEntry = EntryPoint{Shell: true}
	// [""] means: no entry point (gitlab-runner executors/docker/docker.go:1371).
	if len(r.Entrypoint) == 0 || slices.Equal(r.Entrypoint, []string{""}) {
		g.ImageEntry = pm.ImageEntryPoint && len(r.Entrypoint) == 0
		return nil
	}
	if reason := badEntrypoint(r.Entrypoint); reason != "" {
		return p.denial("the job's image:entrypoint", "", reason, "mend `entrypoint:` in .gitlab-ci.yml")
	}
	g.UserEntry.Words = slices.Clone(r.Entrypoint)
	return nil
}

// badEntrypoint says why words cannot be an entry point, or nothing.
func badEntrypoint(words []string) string {
	if len(words) > 1 && words[0] == "" {
		return "its first word is empty"
	}
	return badWords(words)
}

// badWords says why no command line can have the words, or nothing.
func badWords(words []string) string {
	size := 0
	for _, w := range words {
		size += len(w)
		if strings.ContainsRune(w, 0) {
			return "it has a NUL byte"
		}
	}
	if size > maxEntrypoint {
		return "it is longer than 32 KiB"
	}
	return ""
}
