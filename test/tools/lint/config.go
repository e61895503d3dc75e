package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/gobwas/glob"
	"github.com/goccy/go-yaml"
)

// config is what of golangci-lint's configuration this program knows. Reading a file with any
// other key fails, so nothing that stands there is silently left out.
type config struct {
	Version string `yaml:"version"`
	Run     struct {
		Tests bool `yaml:"tests"`
	} `yaml:"run"`
	Linters struct {
		Default    string   `yaml:"default"`
		Enable     []string `yaml:"enable"`
		Settings   settings `yaml:"settings"`
		Exclusions struct {
			Rules []*exclusion `yaml:"rules"`
		} `yaml:"exclusions"`
	} `yaml:"linters"`

	// files are all that were looked at.
	files []string
}

// settings are those of single linters.
type settings struct {
	Forbidigo struct {
		AnalyzeTypes bool     `yaml:"analyze-types"`
		Forbid       []forbid `yaml:"forbid"`
	} `yaml:"forbidigo"`
	Depguard struct {
		Rules map[string]importRule `yaml:"rules"`
	} `yaml:"depguard"`
}

// forbid is an identifier that must not be used.
type forbid struct {
	Pattern string `yaml:"pattern"`
	Msg     string `yaml:"msg"`
}

// importRule is what the files must not import. What Allow names more exactly than Deny, they may.
type importRule struct {
	ListMode string   `yaml:"list-mode"`
	Files    []string `yaml:"files"`
	Allow    []string `yaml:"allow"`
	Deny     []struct {
		Pkg  string `yaml:"pkg"`
		Desc string `yaml:"desc"`
	} `yaml:"deny"`
}

// exclusion are findings that are none: those of the linters, in the files whose path below the
// configuration matches, and whose text does.
type exclusion struct {
	Path    string   `yaml:"path"`
	Text    string   `yaml:"text"`
	Linters []string `yaml:"linters"`

	path, text *regexp.Regexp
	used       bool
}

func readConfig(name string) (*config, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var c config
	if err := yaml.UnmarshalWithOptions(text, &c, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if c.Version != "2" || c.Run.Tests || c.Linters.Default != "none" {
		return nil, fmt.Errorf(`%s: want version "2", run.tests false and linters.default none`, filepath.Base(name))
	}
	for _, e := range c.Linters.Exclusions.Rules {
		if e.path, err = regexp.Compile(e.Path); err != nil {
			return nil, err
		}
		if e.text, err = regexp.Compile(e.Text); err != nil {
			return nil, err
		}
	}
	return &c, nil
}

// excluded reports whether a finding is none.
func (c *config) excluded(f finding) bool {
	for _, e := range c.Linters.Exclusions.Rules {
		if slices.Contains(e.Linters, f.linter) && e.path.MatchString(f.file) && e.text.MatchString(f.text) {
			e.used = true
			return true
		}
	}
	return false
}

// unused returns an error where the configuration names what is not there.
func (c *config) unused() error {
	for _, e := range c.Linters.Exclusions.Rules {
		if !e.used {
			return fmt.Errorf("the exclusion of %q in %q excludes nothing", e.Text, e.Path)
		}
	}
	for name, rule := range c.Linters.Settings.Depguard.Rules {
		for _, pattern := range rule.Files {
			matches, err := glob.Compile(pattern, '/')
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(c.files, matches.Match) {
				return fmt.Errorf("no file matches %q of the rule %s", pattern, name)
			}
		}
	}
	return nil
}
