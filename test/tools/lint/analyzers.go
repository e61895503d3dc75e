package main

import (
	"fmt"

	"codeberg.org/polyfloyd/go-errorlint/errorlint"
	"github.com/OpenPeeDeeP/depguard/v2"
	forbidigo "github.com/ashanbrown/forbidigo/v2/pkg/analyzer"
	"github.com/goccy/go-yaml"
	"golang.org/x/tools/go/analysis"
)

// analyzers returns the linters that the configuration enables.
func (c *config) analyzers() ([]*analysis.Analyzer, error) {
	var all []*analysis.Analyzer
	for _, name := range c.Linters.Enable {
		var a *analysis.Analyzer
		var err error
		switch name {
		case "errorlint":
			a = errorlint.NewAnalyzer()
			err = a.Flags.Set("errorf", "true") // as golangci-lint has it
		case "forbidigo":
			a, err = c.forbidigo()
		case "depguard":
			a, err = c.depguard()
		case "misspell":
			continue // A program of its own, which also reads what is not Go.
		default:
			err = fmt.Errorf("unknown linter %q", name)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

func (c *config) forbidigo() (*analysis.Analyzer, error) {
	a := forbidigo.NewAnalyzer()
	set := c.Linters.Settings.Forbidigo
	if err := a.Flags.Set("analyze_types", fmt.Sprint(set.AnalyzeTypes)); err != nil {
		return nil, err
	}
	for _, f := range set.Forbid {
		pattern, err := yaml.Marshal(map[string]string{"p": f.Pattern, "msg": f.Msg})
		if err != nil {
			return nil, err
		}
		if err := a.Flags.Set("p", string(pattern)); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (c *config) depguard() (*analysis.Analyzer, error) {
	lists := depguard.LinterSettings{}
	for name, rule := range c.Linters.Settings.Depguard.Rules {
		deny := map[string]string{}
		for _, d := range rule.Deny {
			deny[d.Pkg] = d.Desc
		}
		lists[name] = &depguard.List{ListMode: rule.ListMode, Files: rule.Files, Allow: rule.Allow, Deny: deny}
	}
	return depguard.NewAnalyzer(&lists)
}
