package main

import (
	"fmt"
	"path"
	"strings"

	"podman-executor/internal/preflight"
)

// mostRules is how many rules of one kind are shown at most.
const mostRules = 5

// checkRules looks for entries of the image lists that also allow registries that they do not
// name.
func (e *examination) checkRules() {
	loose := e.policy.LooseRules()
	for _, r := range loose[:min(len(loose), mostRules)] {
		check := strings.TrimPrefix(path.Ext(r.Key), ".")
		e.add(preflight.Result{
			Check: check, Level: preflight.Warning,
			Detail: fmt.Sprintf("%s:%d: entry %d, %s, also allows other registries: in a regular expression a dot matches any character", e.policy.File(), r.Line, r.Entry, r.Expression),
			Hint:   "write " + r.Instead,
		})
	}
	if more := len(loose) - mostRules; more > 0 {
		e.add(preflight.Result{Check: "image lists", Level: preflight.Warning, Detail: fmt.Sprintf("%d more entries have such a dot before the first slash", more), Hint: `write \. instead`})
	}
}
