package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"text/template"

	"podman-executor/test/measure/bench/account"
	"podman-executor/test/measure/bench/results"
)

//go:embed page.md.tmpl
var pageText string

// row is a line of a kind's table.
type row struct {
	Title, Median, Spread, Ratio, Commands string
	Runner, Driver, Podman, Job, Peak      string
}

// none stands where there is nothing to measure.
const none = "–"

// pageOf is the page: everything in it that is a figure comes from the results.
// What the programs add was measured by another program, and may be missing.
func pageOf(r results.Results, programs *results.Programs) ([]byte, error) {
	page, err := template.New("page").Funcs(template.FuncMap{
		"targets":  func() []target { return targetsOf(r, programs) },
		"profiles": func() []profile { return profilesOf(r) },
		"programs": func() *results.Programs { return programs },
		"number":   number,
		"rows":     func(kind string) []row { return rowsOf(r, kind) },
		"runs":     func(kind string) string { return runsOf(r, kind) },
		"thrown":   func() string { return thrownAway(r) },
		"minutes":  func() string { return number(r.Took/60, 0) },
		"capital":  func(s string) string { return strings.ToUpper(s[:1]) + s[1:] },
		"memory":   func() string { return number(float64(r.Machine.Memory)/(1<<30), 0) },
		"date":     func() string { return r.Started.Format("2006-01-02") },
	}).Parse(pageText)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = page.Execute(&text, r)
	return text.Bytes(), err
}

func rowsOf(r results.Results, kind string) (rows []row) {
	for _, e := range r.Executors {
		c, ok := r.Cell(kind, e.Name)
		if !ok {
			continue
		}
		from, to := c.Spread()
		line := row{
			Title: e.Title, Median: number(c.Median(), 2), Spread: number(from, 2) + "–" + number(to, 2), Ratio: none, Commands: none,
			Runner: seconds(c, account.Runner), Driver: none, Podman: seconds(c, account.Podman), Job: seconds(c, account.Job), Peak: none,
		}
		if ratio, err := r.Ratio(kind, e.Name, "docker"); err == nil {
			line.Ratio = number(ratio, 2) + "×"
		}
		// The other executors are part of gitlab-runner, and run no command.
		if n := c.Account.PodmanCommands(); n > 0 {
			line.Commands, line.Driver = strconv.Itoa(n), seconds(c, account.Driver)
		}
		if peak := c.Account.PeakOfAll(); peak > 0 {
			line.Peak = number(float64(peak)/(1<<20), 1)
		}
		if c.Account.CPU[account.Podman] == 0 {
			line.Podman = none
		}
		rows = append(rows, line)
	}
	return rows
}

func seconds(c results.Cell, part account.Part) string {
	return number(float64(c.Account.CPU[part])/1e9, 2)
}

func number(x float64, digits int) string { return strconv.FormatFloat(x, 'f', digits, 64) }

func runsOf(r results.Results, kind string) string {
	for _, e := range r.Executors {
		if c, ok := r.Cell(kind, e.Name); ok {
			if len(c.Seconds) == 1 {
				return "once"
			}
			return strconv.Itoa(len(c.Seconds)) + " times"
		}
	}
	return "never"
}

// thrownAway names the executors whose measurements were thrown away.
func thrownAway(r results.Results) string {
	var list []string
	for _, e := range r.Executors {
		failed := 0
		for _, c := range r.Cells {
			if c.Executor == e.Name {
				failed += c.Failed
			}
		}
		if failed > 0 {
			list = append(list, fmt.Sprintf("%d of the %s", failed, e.Title))
		}
	}
	if len(list) == 0 {
		return "In this run no job failed"
	}
	return "In this run these were " + strings.Join(list, " and ")
}
