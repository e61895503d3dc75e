package main

import (
	"errors"
	"slices"
	"strings"

	"podman-executor/internal/images"
	"podman-executor/internal/site"
	"podman-executor/pkg/policy"
)

// allRepositories stands for all that are restricted.
const allRepositories = "all"

// parseRepository reads the name of a repository, as prepare keeps it.
func parseRepository(text string) (string, error) {
	if text == allRepositories {
		return text, nil
	}
	image, err := policy.ParseImage(text)
	if err != nil {
		return "", errors.New("want a repository such as registry.example.com/team/app, or " + allRepositories)
	}
	return image.Repository(), nil
}

// openRepositories forgets who may have the local images of repositories.
func (h *housekeeping) openRepositories() error {
	if len(h.open) == 0 {
		return nil
	}
	readers := images.ReadersIn(site.StateDir(h.call, h.policy))
	list, err := readers.List()
	if err != nil {
		return err
	}
	h.table.rows = nil
	var problems []error
	for _, restricted := range list {
		if !slices.Contains(h.open, restricted.Repository) && !slices.Contains(h.open, allRepositories) {
			continue
		}
		if !h.dryRun {
			if err := readers.Open(h.locks(), restricted.Repository); err != nil {
				problems = append(problems, err)
				continue
			}
			h.log.Warn("opened the local images of " + restricted.Repository + " to every project")
		}
		reason := "restricted by a pull that did not end"
		if len(restricted.Projects) > 0 {
			reason = "for those that have pulled it"
		}
		h.table.add("readers", restricted.Repository, "", strings.Join(projectNumbers(restricted.Projects), ","), "", reason, "", "")
	}
	h.table.print(h.call.Stdout)
	return errors.Join(problems...)
}

// projectNumbers are the projects' ids, of names such as glrt-abc_12-project-HASH-7-protected.
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
