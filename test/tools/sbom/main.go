// Command sbom prints what programs are made of, as CycloneDX JSON: the programs
// with their checksums, the Go modules that they have in them, and Go's own library.
// The same programs give the same bytes.
package main

import (
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom: error:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("sbom", flag.ContinueOnError)
	name := flags.String("name", "", "the product's `name`")
	version := flags.String("version", "", "the product's `version`")
	epoch := flags.Int64("epoch", 0, "the time of the list, in `seconds` since 1970")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *name == "" || *version == "" || flags.NArg() == 0 {
		return errors.New("usage: sbom --name NAME --version VERSION --epoch SECONDS PROGRAM...")
	}
	programs, modules, err := components(flags.Args())
	if err != nil {
		return err
	}
	bom := cyclonedx.NewBOM()
	product := cyclonedx.Component{
		BOMRef: *name, Type: cyclonedx.ComponentTypeApplication, Name: *name, Version: *version, Components: &programs,
	}
	bom.Metadata = &cyclonedx.Metadata{Timestamp: time.Unix(*epoch, 0).UTC().Format(time.RFC3339), Component: &product}
	bom.Components = &modules
	needs := make([]string, len(modules))
	for i, m := range modules {
		needs[i] = m.BOMRef
	}
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: *name, Dependencies: &needs}}
	return cyclonedx.NewBOMEncoder(out, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(bom)
}

// components returns the programs, and the modules of all of them in the order of
// their names.
func components(files []string) (programs, modules []cyclonedx.Component, err error) {
	byRef := map[string]cyclonedx.Component{}
	for _, file := range files {
		info, err := buildinfo.ReadFile(file)
		if err != nil {
			return nil, nil, err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, err
		}
		programs = append(programs, cyclonedx.Component{
			BOMRef: "file:" + filepath.Base(file), Type: cyclonedx.ComponentTypeFile, Name: filepath.Base(file),
			Hashes: &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: fmt.Sprintf("%x", sha256.Sum256(text))}},
		})
		std := library("std", strings.TrimPrefix(info.GoVersion, "go"), "")
		byRef[std.BOMRef] = std
		for _, dep := range info.Deps {
			m := module(dep)
			byRef[m.BOMRef] = m
		}
	}
	modules = slices.SortedFunc(maps.Values(byRef), func(a, b cyclonedx.Component) int { return cmp.Compare(a.BOMRef, b.BOMRef) })
	return programs, modules, nil
}

// module is one that a program has in it: the replacement, where it was replaced.
func module(m *debug.Module) cyclonedx.Component {
	if m.Replace != nil {
		m = m.Replace
	}
	return library(m.Path, m.Version, m.Sum)
}

// library is a component of which Go's checksum is known, or not.
func library(path, version, sum string) cyclonedx.Component {
	purl := fmt.Sprintf("pkg:golang/%s@%s?type=module", path, version)
	c := cyclonedx.Component{BOMRef: purl, Type: cyclonedx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: purl}
	if sum != "" {
		c.Properties = &[]cyclonedx.Property{{Name: "go:sum", Value: sum}}
	}
	return c
}
