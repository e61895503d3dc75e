package policy

import (
	"slices"
	"strings"
)

// maxEntrypoint is the largest entry point or command of a job, in bytes of all its words.
// It is part of a command line.
const maxEntrypoint = 32 << 10

func (p *Policy) decideEntrypoint(r Request, g *Grant) *Denial {
	pm := p.General.Podman
	if len(pm.UserEntryPoint) > 0 {
		g.UserEntry = EntryPoint{Words: slices.Clone(pm.UserEntryPoint)}
		return nil
	}
	g.UserEntry = pm.shell()
	// [""] means: no entry point (gitlab-runner executors/docker/docker.go:1371).
	if len(r.Entrypoint) == 0 || slices.Equal(r.Entrypoint, []string{""}) {
		g.ImageEntry = pm.ImageEntryPoint && len(r.Entrypoint) == 0
		return nil
	}
	if reason := badEntrypoint(r.Entrypoint); reason != "" {
		return p.denial("the job's image:entrypoint", "", reason, "fix `entrypoint:` in .gitlab-ci.yml")
	}
	g.UserEntry.Words = slices.Clone(r.Entrypoint)
	return nil
}

// shell is the image's best shell.
func (pm *Podman) shell() EntryPoint { return EntryPoint{Shell: true, Login: pm.LoginShell} }

// badEntrypoint returns why words cannot be an entry point. Empty: they can.
func badEntrypoint(words []string) string {
	if len(words) > 1 && words[0] == "" {
		return "the first word is empty"
	}
	return badWords(words)
}

// badWords returns why a command line cannot have the words. Empty: it can.
func badWords(words []string) string {
	size := 0
	for _, w := range words {
		size += len(w)
		if strings.ContainsRune(w, 0) {
			return "contains a NUL byte"
		}
	}
	if size > maxEntrypoint {
		return "longer than 32 KiB"
	}
	return ""
}
