package main

import (
	"podman-executor/test/measure/bench/results"
)

// part is a line of the table of where the time goes. Those of podman's commands have
// no Program.
type part struct {
	Program, Command, For, Ms string
}

// profile is such a table.
type profile struct {
	Kind, Executor string
	Parts          []part
}

// purposes say what podman's commands are for, by program and command.
var purposes = map[string]string{
	"podman-executor-prepare: podman version":        "podman's version",
	"podman-executor-prepare: podman ps":             "looks for containers that dead runners have left",
	"podman-executor-prepare: podman image inspect":  "looks for the images",
	"podman-executor-prepare: podman volume inspect": "looks for the volumes",
	"podman-executor-prepare: podman volume create":  "makes a volume",
	"podman-executor-prepare: podman create":         "makes a container",
	"podman-executor-prepare: podman run":            "makes a container and starts it",
	"podman-executor-run: podman start":              "starts the container for the step",
	"podman-executor-cleanup: podman rm":             "removes the containers",
}

// profilesOf are the tables, in the order of kinds and executors.
func profilesOf(r results.Results) (tables []profile) {
	for _, k := range r.Kinds {
		for _, e := range r.Executors {
			p, found := r.Profile(k.Name, e.Name)
			cell, measured := r.Cell(k.Name, e.Name)
			if found && measured {
				tables = append(tables, profile{Kind: k.Title, Executor: e.Title, Parts: partsOf(p, cell.Median())})
			}
		}
	}
	return tables
}

// partsOf are the lines of one table, for jobs of that median. The rest is so much that
// the programs and it sum up to the job.
func partsOf(p results.Profile, job float64) (parts []part) {
	for _, program := range p.Programs {
		what := "all of it"
		if program.Step != "" {
			what = "step " + program.Step
		}
		parts = append(parts, part{Program: program.Program, For: what, Ms: milliseconds(results.Median(program.Seconds))})
		for _, c := range program.Commands {
			purpose, found := purposes[program.Program+": "+c.Command]
			if !found {
				purpose = none
			}
			parts = append(parts, part{Command: c.Command, For: purpose, Ms: milliseconds(results.Median(c.Seconds))})
		}
	}
	return append(parts,
		part{Program: "the rest", For: "gitlab-runner, and the start and end of the programs", Ms: milliseconds(job - p.InPrograms())},
		part{Program: "the job", For: "median of all", Ms: milliseconds(job)})
}

func milliseconds(seconds float64) string { return number(seconds*1000, 0) }
