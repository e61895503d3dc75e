package housekeeping

import (
	"errors"
	"slices"
	"strings"

	"podman-executor/internal/images"
)

// openRepositories forgets who may use the local images of repositories.
func (k *keeper) openRepositories() error {
	if len(k.options.OpenRepositories) == 0 {
		return nil
	}
	readers := images.ReadersIn(k.stateDir())
	list, err := readers.List()
	if err != nil {
		return err
	}
	var rows []row
	var problems []error
	for _, restricted := range list {
		if !slices.Contains(k.options.OpenRepositories, restricted.Repository) && !slices.Contains(k.options.OpenRepositories, allRepositories) {
			continue
		}
		if !k.options.DryRun {
			if err := readers.Open(k.locks(), restricted.Repository); err != nil {
				problems = append(problems, err)
				continue
			}
			k.log.Warn("opened the local images of " + restricted.Repository + " to every project")
		}
		reason := "restricted by an interrupted pull"
		if len(restricted.Projects) > 0 {
			reason = "restricted to projects that pulled it"
		}
		rows = append(rows, row{
			kind: "readers", name: restricted.Repository, project: strings.Join(projectNumbers(restricted.Projects), ","), reason: reason,
		})
	}
	printTable(k.call.Stdout, "", rows)
	return errors.Join(problems...)
}

// projectNumbers returns the projects' ids from names such as
// glrt-abc_12-project-HASH-7-protected.
func projectNumbers(names []string) []string {
	var numbers []string
	for _, name := range names {
		name, protected := strings.CutSuffix(name, "-protected")
		number := name[strings.LastIndexByte(name, '-')+1:]
		if protected {
			number += "-protected"
		}
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}
