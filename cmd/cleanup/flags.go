package main

import (
	"context"
	"flag"
	"strconv"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/housekeeping"
	"podman-executor/pkg/policy"
)

// addFlags adds the housekeeping options. If any of them is given, the housekeeper runs instead
// of the stage. See help for what they do.
func addFlags(flags *flag.FlagSet, call *driver.Call) {
	var o housekeeping.Options
	keepHouse := func(ctx context.Context, call *driver.Call) error { return housekeeping.Run(ctx, call, o) }
	option := func(name string, set func(string) error) {
		flags.Func(name, "", func(text string) error {
			call.Command = keepHouse
			return set(text)
		})
	}
	isSet := func(name string, value *bool) {
		flags.BoolFunc(name, "", func(text string) (err error) {
			call.Command = keepHouse
			*value, err = strconv.ParseBool(text)
			return err
		})
	}
	duration := func(value **time.Duration) func(string) error {
		return func(text string) error {
			d, err := housekeeping.ParseDuration(text)
			*value = &d
			return err
		}
	}
	option("builds-older-than", duration(&o.Limits.BuildsUnused))
	option("images-unused-for", duration(&o.Limits.ImagesUnused))
	option("storage-below", func(text string) (err error) {
		o.StorageBelow, err = housekeeping.ParsePercent(text)
		return err
	})
	option("cache-larger-than", func(text string) error {
		size, err := policy.ParseSize(text)
		bytes := int64(size)
		o.Limits.Caches = &bytes
		return err
	})
	option("open-repository", func(text string) error {
		name, err := housekeeping.ParseRepository(text)
		o.OpenRepositories = append(o.OpenRepositories, name)
		return err
	})
	isSet("orphans", &o.Orphans)
	isSet("all-images", &o.AllImages)
	isSet("dry-run", &o.DryRun)
}
